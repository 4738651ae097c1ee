/**
 * Checks `flake.nix` without a network and without nixpkgs: its brackets and strings, the files that it names and, where
 * nix is installed, what it evaluates to with the stub beside this file in nixpkgs' place. Nothing is built.
 */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const stub = fileURLToPath(new URL("stub", import.meta.url))
const systems = ["x86_64-linux", "aarch64-linux"]

type Frame = "{" | "(" | "[" | "${" | "\"" | "''"
const closing: Record<string, ReadonlyArray<Frame>> = { "}": ["{", "${"], ")": ["("], "]": ["["] }

/** Reads Nix as far as its nesting goes; throws where something is closed that is not open, or left open. */
const checkNesting = (text: string): void => {
  const frames: Array<{ readonly frame: Frame; readonly line: number }> = []
  // In a string only its own end, its escapes and interpolation count; elsewhere a comment hides everything.
  const code = /#[^\n]*|\/\*[^]*?\*\/|''|[[\](){}"]|\$\{|\n/g
  const tokens: Partial<Record<Frame, RegExp>> = { "\"": /\\[^]|\$\$|\$\{|"|\n/g, "''": /''[$']|''\\[^]|\$\$|\$\{|''|\n/g }
  let line = 1
  for (let at = 0;;) {
    const top = frames.at(-1)
    const token = (top && tokens[top.frame]) ?? code
    token.lastIndex = at
    const found = token.exec(text)?.[0]
    if (found === undefined) break
    at = token.lastIndex
    const isOpen = (frame: Frame) => top?.frame === frame
    if (found === "\"" || found === "''") {
      if (isOpen(found)) frames.pop()
      else frames.push({ frame: found, line })
    } else if (found in closing) {
      if (!closing[found]!.some(isOpen)) throw new Error(`line ${line}: ${found} closes nothing`)
      frames.pop()
    } else if (["{", "(", "[", "${"].includes(found)) frames.push({ frame: found as Frame, line })
    line += found.split("\n").length - 1
  }
  const open = frames.at(-1)
  if (open !== undefined) throw new Error(`line ${open.line}: ${open.frame} is never closed`)
}

/** The paths, relative to the root, that the flake names. */
const namedPaths = (text: string) => [...new Set(text.match(/(?<![\w.])\.\/\w[\w./-]*/g))]

interface LockEntry {
  readonly name?: string
  readonly version: string
  readonly integrity?: string
}

/** What npm must be asked for, and what the answer must hash to, by place in the lock file. */
const lockedTarballs = (): Record<string, { readonly spec: string; readonly outputHash: string | undefined }> => {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as { readonly packages: Record<string, LockEntry> }
  return Object.fromEntries(
    Object.entries(lock.packages).filter(([place]) => place !== "").map(([place, entry]) => {
      const name = entry.name ?? place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length)
      return [place, { spec: `${name}@${entry.version}`, outputHash: entry.integrity }]
    })
  )
}

/** nix with everything that it keeps below one folder, so that it needs no daemon, no rights and no earlier set-up. */
const nixBelow = (scratch: string) => (args: ReadonlyArray<string>): string => {
  const { error, status, stderr, stdout } = spawnSync("nix", args, {
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"],
      HOME: scratch,
      NIX_REMOTE: "local",
      NIX_STORE_DIR: join(scratch, "store"),
      NIX_STATE_DIR: join(scratch, "state"),
      NIX_LOG_DIR: join(scratch, "log"),
      NIX_CONF_DIR: join(scratch, "conf"),
      NIX_CONFIG: "experimental-features = nix-command flakes\nbuild-users-group =\nsandbox = false\n"
    }
  })
  if (status !== 0) throw new Error(`nix ${args.slice(0, 2).join(" ")} failed:\n${error?.message ?? stderr}`)
  return stdout
}

const evaluate = (paths: ReadonlyArray<string>): void => {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), "lignum-flake-")))
  try {
    const nix = nixBelow(scratch)
    // A copy of what the flake names: a flake takes along all of its folder, node_modules too.
    const flake = join(scratch, "flake")
    for (const path of ["flake.nix", ...paths]) cpSync(join(root, path), join(flake, path), { recursive: true })
    const offline = ["--offline", "--no-write-lock-file", "--override-input", "nixpkgs", `path:${stub}`]

    nix(["flake", "check", "--no-build", ...offline, `path:${flake}`])
    console.log("nix flake check: packages, apps, checks and development shells evaluate")

    const expected = lockedTarballs()
    const places = Object.keys(expected)
    for (const system of systems) {
      const shown = "builtins.mapAttrs (_: tarball: { inherit (tarball) spec outputHash; })"
      const tarballs = JSON.parse(
        nix(["eval", "--json", ...offline, "--apply", shown, `path:${flake}#packages.${system}.lignum.tarballs`])
      ) as typeof expected
      const wrong = places.filter((place) =>
        expected[place]!.outputHash === undefined ||
        tarballs[place]?.spec !== expected[place]!.spec || tarballs[place]?.outputHash !== expected[place]!.outputHash
      )
      if (wrong.length > 0) throw new Error(`${system}: not as the lock file has them: ${wrong.join(", ")}`)
      if (Object.keys(tarballs).length !== places.length) throw new Error(`${system}: tarballs that the lock file does not have`)
      console.log(`${system}: each of the lock file's ${places.length} packages is fetched by its name and version and held to its hash`)
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

try {
  const text = readFileSync(join(root, "flake.nix"), "utf8")
  checkNesting(text)
  const paths = namedPaths(text)
  const missing = paths.filter((path) => !existsSync(join(root, path)))
  if (missing.length > 0) throw new Error(`there is no ${missing.join(", ")}`)
  console.log(`flake.nix: brackets and strings close; it names ${paths.length} files and folders, and they exist`)

  const version = spawnSync("nix", ["--version"], { encoding: "utf8" })
  if (version.status === 0) {
    console.log(version.stdout.trim())
    evaluate(paths)
  } else console.log("nix is not installed: the flake was only parsed, not evaluated")
} catch (error) {
  console.error(`flake.nix: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
