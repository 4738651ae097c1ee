{
  description = "lignum proves and settles a rollup's blocks on L1, by provers who do not trust each other";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;

      # Each system with npm's name for its processor. The package is the same on both. Outside Nix they differ: npm has
      # anvil, forge and node prebuilt for x86_64 only.
      systems = {
        x86_64-linux = "x64";
        aarch64-linux = "arm64";
      };

      manifest = lib.importJSON ./package.json;
      lock = lib.importJSON ./package-lock.json;
      lockedPackages = removeAttrs lock.packages [ "" ];

      # npm's prebuilt anvil, forge and node expect a dynamic loader that NixOS does not have; nixpkgs has all three.
      prebuilt = map (name: "node_modules/${name}") (lib.attrNames manifest.optionalDependencies);

      perSystem =
        system: cpu:
        let
          pkgs = nixpkgs.legacyPackages.${system};
          nodejs = pkgs.nodejs_24;

          # The lock file says what each tarball hashes to, not where it lies: everybody installs from the registry
          # of their choice, and this project names none. nixpkgs' own fetchers need a whole address; npm needs a name
          # and a version and knows its default registry. So npm fetches, from there or from $npm_config_registry.
          fetchPackage =
            place: entry:
            let
              # An alias carries its real name; else the name is what follows the last node_modules.
              name = entry.name or (lib.head (builtins.match ".*node_modules/(.+)" place));
            in
            pkgs.runCommand "${baseNameOf name}-${entry.version}.tgz" {
              spec = "${name}@${entry.version}";
              outputHash = entry.integrity;
              nativeBuildInputs = [ nodejs ];
              impureEnvVars = lib.fetchers.proxyImpureEnvVars ++ [ "npm_config_registry" ];
            } ''
              export HOME="$TMPDIR"
              mkdir packed
              # As with nixpkgs' fetchers, the hash says what may come in, not the server's certificate.
              npm pack "$spec" --pack-destination packed --strict-ssl=false \
                --no-update-notifier --no-progress --loglevel=error
              mv packed/*.tgz "$out"
            '';

          tarballs = lib.mapAttrs fetchPackage lockedPackages;

          # What npm would refuse to install on this system is not fetched either.
          fits =
            entry:
            lib.elem "linux" (entry.os or [ "linux" ])
            && lib.elem cpu (entry.cpu or [ cpu ])
            && lib.elem "glibc" (entry.libc or [ "glibc" ]);

          # node_modules as npm makes it from the lock file, but of those packages only that are wanted.
          buildWithModules =
            { omitted, wanted, ... }@args:
            let
              reduced = root: removeAttrs root (omitted ++ [ "optionalDependencies" ]);
            in
            pkgs.buildNpmPackage (
              {
                inherit nodejs;
                inherit (manifest) version;
                npmConfigHook = pkgs.importNpmLock.npmConfigHook;
                npmDeps = pkgs.importNpmLock {
                  package = reduced manifest;
                  packageLock = lock // {
                    packages = removeAttrs lock.packages prebuilt // { "" = reduced lock.packages.""; };
                  };
                  packageSourceOverrides = lib.filterAttrs (place: _: wanted lockedPackages.${place}) (
                    removeAttrs tarballs prebuilt
                  );
                };
              }
              // removeAttrs args [ "omitted" "wanted" ]
            );

          lignum = buildWithModules {
            pname = "lignum";
            src = lib.fileset.toSource {
              root = ./.;
              fileset = lib.fileset.unions [ ./package.json ./src ./circuits ./contracts ];
            };

            omitted = [ "devDependencies" ];
            wanted = entry: !(entry.dev or entry.devOptional or entry.optional or false);
            npmInstallFlags = [ "--omit=dev" "--omit=optional" ];

            nativeBuildInputs = [ pkgs.makeWrapper ];

            # A first start compiles the contracts and keeps them beside the sources; by then the store is read-only.
            buildPhase = ''
              runHook preBuild
              node --eval '
                import { Effect } from "effect"
                import { buildContracts } from "./src/l1/ContractBuild.ts"
                await Effect.runPromise(buildContracts())
              '
              runHook postBuild
            '';

            # Not below lib/node_modules, where npm's own packages go: Node strips no types there. npm's hidden lock
            # file names all tarballs and would keep them in the store.
            installPhase = ''
              runHook preInstall
              rm node_modules/.package-lock.json
              mkdir -p $out/lib/lignum
              cp -r package.json src circuits contracts build node_modules $out/lib/lignum/
              makeWrapper ${nodejs}/bin/node $out/bin/lignum \
                --add-flags $out/lib/lignum/src/main.ts \
                --set-default LIGNUM_ANVIL ${pkgs.foundry}/bin/anvil
              runHook postInstall
            '';

            doInstallCheck = true;
            installCheckPhase = ''
              $out/bin/lignum --version | grep -F ${manifest.version}
            '';

            # Every tarball of the lock file, by its place there.
            passthru = { inherit tarballs; };

            meta = {
              inherit (manifest) description;
              license = lib.licenses.gpl3Plus;
              mainProgram = "lignum";
              platforms = lib.attrNames systems;
            };
          };

          typesAndLint = buildWithModules {
            pname = "lignum-types-and-lint";
            src = self;
            omitted = [ ];
            wanted = fits;
            buildPhase = ''
              node_modules/.bin/tsc --noEmit
              node_modules/.bin/oxlint --deny-warnings
            '';
            installPhase = "touch $out";
          };

          # `npm ci` in the development shell, after which `npm test` runs on NixOS as everywhere.
          installModules = pkgs.writeShellScriptBin "install-modules" ''
            npm ci "$@" && ln -sf ${nodejs}/bin/node ${pkgs.foundry}/bin/{anvil,forge} node_modules/.bin/
          '';
        in
        {
          packages = {
            inherit lignum;
            default = lignum;
          };

          apps.default = {
            type = "app";
            program = toString (
              pkgs.writeShellScript "lignum-devnet" ''exec ${lignum}/bin/lignum devnet "$@"''
            );
            meta.description = "A whole rollup on this machine, proving and settling until it is stopped";
          };

          devShells.default = pkgs.mkShell {
            packages = [
              nodejs
              pkgs.foundry
              installModules
            ];
          };

          checks = {
            inherit lignum;
            types-and-lint = typesAndLint;
            devnet = pkgs.runCommand "lignum-devnet-check" { } ''
              ${lignum}/bin/lignum devnet --until-updates 1 --json | tee $out
            '';
          };
        };

      outputsOf = lib.mapAttrs perSystem systems;
      bySystem = output: lib.mapAttrs (_: outputs: outputs.${output}) outputsOf;
    in
    lib.genAttrs [ "packages" "apps" "devShells" "checks" ] bySystem;
}
