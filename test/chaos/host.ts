/**
 * A host of a cluster as a process of its own, to be killed, frozen and cut off: it proves with model proofs, writes each to its disk
 * first, and says on standard output what it begins and what it finishes. `node host.ts <HostOptions as JSON>`
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Duration, Effect, Layer, Logger, Redacted } from "effect"
import { appendFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { startHost } from "../../src/cluster/startHost.ts"
import { blockJobId } from "../../src/jobs/ProofJobs.ts"
import { ProofSystem, ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import * as ModelProofs from "../../src/simulation/ModelProofs.ts"

export interface HostOptions {
  readonly name: string
  readonly database: string
  readonly secret: string
  /** Where it listens, and others reach it. */
  readonly at: string
  /** Milliseconds by which its clock is fast. */
  readonly clockOffset: number
  /** Folder that proofs are written to. */
  readonly disk: string
  /** Milliseconds that a block proof takes, and up to as much again. */
  readonly proofTime: number
  /** Proofs at once. */
  readonly slots: number
}

const options = JSON.parse(process.argv[2]!) as HostOptions

/** Before anything else can happen to this process. */
const say = (word: "begins" | "finishes" | "stood-still", what: string) => writeSync(1, `${word} ${what}\n`)

/** On a machine with too much to do, a host may be silent for as long as if somebody had frozen it: then it says so. */
const watchPauses = () => {
  let last = performance.now()
  setInterval(() => {
    const now = performance.now()
    if (now - last > 2_000) say("stood-still", `${Math.round(now - last)}`)
    last = now
  }, 100)
}
watchPauses()

const proofs = Layer.effect(
  ProofSystem,
  Effect.map(ProofSystem, (system) => ({
    ...system,
    proveBlock: Effect.fnUntraced(function*(...args: Parameters<typeof system.proveBlock>) {
      const [{ block }, prover] = args
      const job = blockJobId(block.ref, prover)
      say("begins", job)
      const proof = yield* system.proveBlock(...args)
      yield* Effect.try({
        try: () => appendFileSync(join(options.disk, "proofs"), `${proof.bytes}\n`),
        catch: (error) => new ProvingFailed({ subject: `block ${block.number}`, reason: String(error), retry: true })
      })
      say("finishes", job)
      return proof
    })
  }))
).pipe(Layer.provide(ModelProofs.layer({ seed: options.name, capacity: options.slots, jitter: 1, blockTime: () => Duration.millis(options.proofTime) })))

const shifted = (clock: Clock.Clock, offset: number): Clock.Clock => {
  const currentTimeMillisUnsafe = () => clock.currentTimeMillisUnsafe() + offset
  const currentTimeNanosUnsafe = () => clock.currentTimeNanosUnsafe() + BigInt(offset) * 1_000_000n
  return {
    currentTimeMillisUnsafe,
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
    currentTimeNanosUnsafe,
    currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
}

const program = Effect.gen(function*() {
  const host = yield* startHost({
    name: options.name,
    database: Redacted.make(options.database),
    secret: Redacted.make(Buffer.from(options.secret, "hex")),
    listen: { host: options.at, port: 0 },
    proving: { sizes: ["small", "big"], cores: 2, memory: 4_096 },
    drainWithin: "5 seconds"
  })
  return yield* host.run
})

// Its parent's end is its own.
process.stdin.on("end", () => process.exit(1)).resume()
NodeRuntime.runMain(program.pipe(
  Effect.scoped,
  Effect.provide(proofs),
  Effect.provideService(Logger.LogToStderr, true),
  Effect.updateService(Clock.Clock, (clock) => shifted(clock, options.clockOffset))
))
