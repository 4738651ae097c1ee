{
  description = "As much of nixpkgs as the flake uses: what it is asked for has the right shape, and nothing can be built";

  outputs =
    { self }:
    let
      lib = {
        inherit (builtins) attrNames elem head mapAttrs;
        importJSON = path: builtins.fromJSON (builtins.readFile path);
        genAttrs =
          names: value:
          builtins.listToAttrs (map (name: { inherit name; value = value name; }) names);
        filterAttrs =
          keep: set: removeAttrs set (builtins.filter (name: !keep name set.${name}) (builtins.attrNames set));
        fetchers.proxyImpureEnvVars = [ "http_proxy" "https_proxy" ];
        licenses.gpl3Plus.spdxId = "GPL-3.0-or-later";
        fileset = {
          unions = builtins.map (path: if builtins.pathExists path then path else throw "${toString path} does not exist");
          toSource = { root, fileset }: builtins.deepSeq fileset root;
        };
      };

      packagesFor =
        system:
        let
          derive = name: attrs: derivation (attrs // { inherit name system; builder = "/bin/false"; });
          script = name: text: derive name { inherit text; };
        in
        {
          foundry = derive "foundry" { };
          makeWrapper = derive "make-wrapper" { };
          nodejs_24 = derive "nodejs" { };
          mkShell = { packages }: derive "shell" { inherit packages; };
          runCommand = name: attrs: text: derive name (attrs // { inherit text; });
          writeShellScript = script;
          writeShellScriptBin = script;

          # The true one, too, puts a tarball in the place of every dependency's version and ends where there is none.
          importNpmLock = {
            npmConfigHook = derive "npm-config-hook" { };
            __functor =
              _:
              { package, packageLock, packageSourceOverrides }:
              let
                dependencies = package.dependencies or { } // package.devDependencies or { };
                places = map (name: "node_modules/${name}") (builtins.attrNames dependencies);
                isTarball = place: builtins.match ".*\\.tgz" packageSourceOverrides.${place}.name != null;
              in
              assert builtins.all (place: packageLock.packages ? ${place}) (builtins.attrNames packageSourceOverrides);
              assert builtins.all isTarball places;
              derive "npm-deps" { tarballs = builtins.attrValues packageSourceOverrides; };
          };

          buildNpmPackage =
            { pname, version, npmDeps, npmConfigHook, nodejs, src, ... }@args:
            derive "${pname}-${version}" (removeAttrs args [ "meta" "passthru" ])
            // args.passthru or { }
            // { meta = args.meta or { }; };
        };
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] packagesFor;
    };
}
