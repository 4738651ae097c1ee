/**
 * Flags of a host that joins an operator, in the place of a configuration.
 */
import { Duration, Effect, Option, Redacted, Schema } from "effect"
import { Flag } from "effect/cli"
import { hostname } from "node:os"
import { resolve } from "node:path"
import { HostUnfit, type HostSettings } from "../cluster/HostSettings.ts"
import { devnetKeysDirectory } from "../proofs/CircuitManifest.ts"
import { readPrivateFile } from "../rpc/PrivateFile.ts"
import type { Address } from "../rpc/SecureSocket.ts"

const count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

const placePattern = /^(\[[0-9a-fA-F:]+\]|[^:]+):(\d{1,5})$/

const isPlace = Schema.makeFilter((text: string) =>
  Number(placePattern.exec(text)?.[2] ?? Number.POSITIVE_INFINITY) <= 65_535 || "an address like 0.0.0.0:4600; port 0 picks a free one")

/** Given along with `--config`, each of these is an error: there, the configuration says it. */
export const joining = {
  join: Flag.String("join").pipe(Flag.withDescription("The operator's database, as postgres://…: be another host of the operator"), Flag.optional),
  joinFile: Flag.String("join-file").pipe(
    Flag.withDescription("The same, from a file that only its owner may read: other users see what a command is given"),
    Flag.optional
  ),
  role: Flag.Literals("role", ["prover", "control"]).pipe(
    Flag.withDescription("What this host does: proves, or can have the control roles; may be given twice (default prover)"),
    Flag.atLeast(0)
  ),
  name: Flag.String("name").pipe(Flag.withDescription("This host's name among the operator's (default: the machine's)"), Flag.optional),
  data: Flag.String("data").pipe(
    Flag.withDescription("Folder in which rpc.json says where it listens, for as long as it runs (default: nowhere)"),
    Flag.optional
  ),
  keys: Flag.String("keys").pipe(Flag.withDescription(`Folder of the proving keys (default ${devnetKeysDirectory})`), Flag.optional),
  workers: Flag.Int("workers").pipe(Flag.withSchema(count), Flag.withDescription("Proofs at once (default 1)"), Flag.optional),
  niceness: Flag.Int("niceness").pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 19 }))),
    Flag.withDescription("Niceness of the proving threads, 0 to 19 (default 0)"),
    Flag.optional
  ),
  listen: Flag.String("listen").pipe(
    Flag.withSchema(Schema.String.check(isPlace)),
    Flag.withDescription("Where it listens for the operator's other hosts (default 127.0.0.1:0, for hosts on one machine)"),
    Flag.optional
  ),
  advertise: Flag.String("advertise").pipe(Flag.withDescription("The host that others reach it by, where that is not the one that it listens at"), Flag.optional),
  l1Key: Flag.String("l1-key").pipe(Flag.withDescription("File of the key of the operator's L1 account, for control roles"), Flag.optional),
  drainWithin: Flag.String("drain-within").pipe(
    Flag.withSchema(Schema.DurationFromString),
    Flag.withDescription("For how long it goes on with its proofs when it is told to stop (default \"30 seconds\")"),
    Flag.optional
  )
}

/** What the flags say; an `Option` for each that may be left away. */
export interface Joining {
  readonly join: Option.Option<string>
  readonly joinFile: Option.Option<string>
  readonly role: ReadonlyArray<"prover" | "control">
  readonly name: Option.Option<string>
  readonly data: Option.Option<string>
  readonly keys: Option.Option<string>
  readonly workers: Option.Option<number>
  readonly niceness: Option.Option<number>
  readonly listen: Option.Option<string>
  readonly advertise: Option.Option<string>
  readonly l1Key: Option.Option<string>
  readonly drainWithin: Option.Option<Duration.Duration>
}

const unfit = (reason: string) => new HostUnfit({ reason })

const placeOf = (text: string): Address => {
  const [, host, port] = placePattern.exec(text)!
  return { host: host!.replace(/^\[|\]$/g, ""), port: Number(port) }
}

/** Whether any of the flags was given. */
export const isJoining = ({ role, ...flags }: Joining): boolean => role.length > 0 || Object.values(flags).some((flag) => Option.isSome<unknown>(flag))

/** A host's settings by its flags. */
export const settingsOf = Effect.fnUntraced(function*(given: Joining) {
  const { join, joinFile } = given
  if (Option.isSome(join) && Option.isSome(joinFile)) return yield* unfit("--join and --join-file both say where the operator's database is: give one of them")
  const database = Option.isSome(join)
    ? Redacted.make(join.value)
    : Option.isSome(joinFile)
    ? yield* readPrivateFile(resolve(joinFile.value))
    : yield* unfit("a host that joins an operator must know the operator's database: give --join or --join-file, or --config for a node of its own")
  const [first = "prover", ...more] = new Set(given.role)
  return {
    database,
    data: Option.getOrUndefined(Option.map(given.data, (folder) => resolve(folder))),
    name: Option.getOrElse(given.name, hostname),
    roles: [first, ...more],
    listen: placeOf(Option.getOrElse(given.listen, () => "127.0.0.1:0")),
    advertise: Option.getOrUndefined(given.advertise),
    proving: {
      keys: resolve(Option.getOrElse(given.keys, () => devnetKeysDirectory)),
      workers: Option.getOrElse(given.workers, () => 1),
      niceness: Option.getOrElse(given.niceness, () => 0)
    },
    sizes: ["small", "big"],
    drainWithin: Option.getOrElse(given.drainWithin, () => Duration.seconds(30)),
    l1KeyFile: Option.getOrUndefined(given.l1Key)
  } satisfies HostSettings
})
