/**
 * Faults, drawn by a seed: each strikes at a moment of its own, lasts, and is mended.
 */
import { Effect } from "effect"
import type { SeededRandom } from "../../src/ledger/SeededRandom.ts"
import type { ChaosHost, World } from "./World.ts"

export interface Fault {
  /** For people, as in "host-2 is killed". */
  readonly what: string
  /** Milliseconds after the round's beginning. */
  readonly at: number
  readonly strike: Effect.Effect<void>
  /** The hosts whose leases it may end. */
  readonly excuses: ReadonlyArray<string>
  /** Hosts whose proofs it may make fail. */
  readonly breaks: ReadonlyArray<string>
  readonly ofDatabase: boolean
}

/** Longer than a host may be silent, and a little more. */
const longSilence = 5_500

/** What may happen to one host. */
const hostFaults = {
  killed: (host: ChaosHost) => host.signal("SIGKILL"),
  "told to stop": (host: ChaosHost) => host.signal("SIGTERM"),
  "frozen for longer than its leases last": (host: ChaosHost) =>
    Effect.andThen(host.signal("SIGSTOP"), Effect.andThen(Effect.sleep(longSilence), host.signal("SIGCONT"))),
  "frozen for a second": (host: ChaosHost) => Effect.andThen(host.signal("SIGSTOP"), Effect.andThen(Effect.sleep(1_000), host.signal("SIGCONT"))),
  "cut off, with connections broken": (host: ChaosHost) => host.line.cut,
  "cut off, without a word, for longer than its leases last": (host: ChaosHost) =>
    Effect.andThen(host.line.silence, Effect.andThen(Effect.sleep(longSilence), host.line.heal)),
  "cut off, without a word, for a second": (host: ChaosHost) => Effect.andThen(host.line.silence, Effect.andThen(Effect.sleep(1_000), host.line.heal)),
  "out of disk": (host: ChaosHost) => Effect.andThen(host.disk.fill, Effect.andThen(Effect.sleep(3_000), host.disk.empty))
} as const

export type HostFault = keyof typeof hostFaults

/** Those after which its leases go on, or its proofs do. */
const endsLeases: ReadonlySet<HostFault> = new Set([
  "killed",
  "told to stop",
  "frozen for longer than its leases last",
  "cut off, without a word, for longer than its leases last"
])

export const hostFaultNames = Object.keys(hostFaults) as ReadonlyArray<HostFault>

export const onHost = (name: HostFault, host: ChaosHost, at: number): Fault => ({
  what: `${host.name} is ${name}`,
  at,
  strike: hostFaults[name](host),
  excuses: endsLeases.has(name) ? [host.name] : [],
  breaks: name === "out of disk" ? [host.name] : [],
  ofDatabase: false
})

export const onDatabase = (name: "crashes" | "is restarted", { postgres }: World, at: number): Fault => ({
  what: `the database ${name}`,
  at,
  strike: Effect.gen(function*() {
    yield* name === "crashes" ? postgres.crash : postgres.stop
    yield* Effect.sleep(500)
    yield* postgres.startAgain
  }),
  // While it is away, everybody is silent: nobody is dead for that.
  excuses: [],
  breaks: [],
  ofDatabase: true
})

/** A fault for some of the hosts, and one of the database in every third round. */
export const drawFaults = (random: SeededRandom, world: World, round: number): ReadonlyArray<Fault> => {
  // Never all of the hosts at once: somebody must be left to go on.
  const struck = random.choose(1 + random.integer(world.hosts.length - 1), world.hosts.length)
  const faults = struck.map((host) => onHost(hostFaultNames[random.integer(hostFaultNames.length)]!, world.hosts[host]!, 1_000 + random.integer(2_500)))
  return round % 3 === 2 ? [...faults, onDatabase(random.integer(2) === 0 ? "crashes" : "is restarted", world, 300 + random.integer(2_500))] : faults
}
