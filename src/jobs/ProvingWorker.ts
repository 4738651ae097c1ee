/**
 * The proving worker of a host: takes jobs that this host can do, as many at once as it has slots, proves, and reports (ND-4). It keeps
 * nothing that matters: what it had in hand when it ends is given back, and what it had when it was killed is lost with its leases.
 */
import { Clock, Context, Duration, Effect, FiberHandle, FiberMap, Layer, Queue, Schema, Stream, SubscriptionRef } from "effect"
import os from "node:os"
import { ProofSystem, ProvingFailed } from "../proofs/ProofSystem.ts"
import { RoleFibers } from "../roles/RoleFibers.ts"
import { type Capabilities, Jobs, type Lease } from "./Jobs.ts"
import { perform, proofSystemOf } from "./ProofJobs.ts"

/** This process as a host that proves. What it can prove with, and how many at once, its proof system says. */
export interface ProvingHost extends Pick<Capabilities, "sizes" | "cores" | "memory"> {
  /** What the operator's other hosts know it by. */
  readonly name: string
}

/** Without options a host takes jobs of any size, and all of the machine is theirs. */
export const ProvingHost = Context.Reference<ProvingHost>("lignum/ProvingHost", {
  defaultValue: () => ({
    name: os.hostname(),
    sizes: ["small", "big"],
    cores: os.availableParallelism(),
    memory: Math.floor(os.totalmem() / 2 ** 20)
  })
})

export class WorkerStatus extends Schema.Class<WorkerStatus>("lignum/WorkerStatus")({
  /** Jobs at once. */
  slots: Schema.Int,
  running: Schema.Int,
  /** Why a slot has nothing to do; `null` while all are busy (ND-5). */
  idle: Schema.NullOr(Schema.String)
}) {}

/** Longest rest of a slot after a failure, in seconds. */
const longestRest = 60

const keyOf = ({ attempt, job }: Pick<Lease, "attempt" | "job">) => `${job}#${attempt}`

export class ProvingWorker extends Context.Service<ProvingWorker, {
  /** The present status and every later one. */
  readonly changes: Stream.Stream<WorkerStatus>
  /** Takes no more jobs, gives those in hand so long to end, and gives back what is left, for other hosts to do at once. */
  readonly drain: (within: Duration.Input) => Effect.Effect<void>
}>()("lignum/ProvingWorker") {
  static readonly layer = Layer.effect(
    ProvingWorker,
    Effect.gen(function*() {
      const jobs = yield* Jobs
      const system = yield* ProofSystem
      const fibers = yield* RoleFibers
      const { name, ...machine } = yield* ProvingHost
      const slots = system.capacity
      const host = yield* jobs.host({ name, can: { ...machine, proofSystems: [proofSystemOf(system)], slots } })
      const inHand = yield* FiberMap.make<string, void, never>()
      const rests = yield* FiberMap.make<number, void, never>()
      const intake = yield* FiberHandle.make()
      const changed = yield* Queue.sliding<void>(1)
      const status = yield* SubscriptionRef.make(new WorkerStatus({ slots, running: 0, idle: "starting" }))
      let running = 0
      let draining = false
      /** Failures since something succeeded here: then the host is broken, not the jobs. */
      let failuresInRow = 0
      let lastFailure = ""
      /** Counts rests; each takes a slot. */
      let rested = 0
      let resting = 0

      const show = Effect.suspend(() => {
        const idle = draining
          ? "this host is about to stop"
          : resting > 0
          ? `it rests, having failed ${failuresInRow === 1 ? "once" : `${failuresInRow} times in a row`}: ${lastFailure}`
          : "no job waits that this host can do"
        const next = new WorkerStatus({ slots, running, idle: running < slots ? idle : null })
        return Effect.andThen(SubscriptionRef.set(status, next), Queue.offer(changed, undefined))
      })

      /** The slot pauses, longer and longer while nothing succeeds; whoever has better luck may do the job meanwhile. */
      const rest = Effect.fnUntraced(function*(failure: string) {
        lastFailure = failure
        resting++
        const pause = Duration.seconds(Math.min(2 ** failuresInRow++, longestRest))
        yield* FiberMap.run(rests, rested++, Effect.sleep(pause).pipe(
          Effect.andThen(Effect.suspend(() => {
            resting--
            return show
          }))
        ))
      })

      const work = Effect.fnUntraced(
        function*(lease: Lease) {
          const { attempt, job, needed, spec } = lease
          const since = yield* Clock.currentTimeMillis
          const onProgress = (at: { readonly fraction: number; readonly stage: string }) => host.progress({ job, attempt, since, ...at })
          yield* onProgress({ fraction: 0, stage: "starting" })
          const output = yield* perform(system, spec, needed, onProgress).pipe(
            Effect.catchDefect((defect) => Effect.fail(new ProvingFailed({ subject: spec.subject, reason: String(defect), retry: true })))
          )
          yield* host.done(lease, output)
          failuresInRow = 0
        },
        (proving, lease) =>
          proving.pipe(
            Effect.catchTags({
              ProvingFailed: ({ message, reason, retry }) =>
                Effect.andThen(
                  Effect.andThen(Effect.logWarning(message), host.failed(lease, reason, retry)),
                  // Inputs that cannot succeed say nothing about this host.
                  retry ? rest(message) : Effect.void
                ),
              OutputInvalid: ({ message }) => Effect.andThen(Effect.logWarning(message), rest(message))
            }),
            Effect.onInterrupt(() => host.giveBack([lease])),
            Effect.ensuring(Effect.suspend(() => {
              running--
              return show
            }))
          )
      )

      const begin = Effect.fnUntraced(function*(leases: ReadonlyArray<Lease>) {
        running += leases.length
        yield* show
        for (const lease of leases) yield* FiberMap.run(inHand, keyOf(lease), work(lease))
      })

      const takeMore = Effect.gen(function*() {
        const free = slots - running - resting
        if (free <= 0) return yield* Queue.take(changed)
        // What was taken is begun, whatever interrupts this.
        return yield* Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(host.take(free)), begin))
      })

      yield* show
      yield* fibers.fork(Stream.runForEach(host.revoked, (lease) =>
        Effect.andThen(Effect.logDebug(`stops ${lease.job}: ${lease.why}`), FiberMap.remove(inHand, keyOf(lease)))))
      yield* FiberHandle.run(intake, Effect.forever(takeMore))
      yield* fibers.fork(FiberHandle.join(intake))
      yield* fibers.fork(FiberMap.join(inHand))

      const drain = Effect.fn("ProvingWorker.drain")(function*(within: Duration.Input) {
        draining = true
        yield* FiberHandle.clear(intake)
        yield* host.drain
        yield* show
        yield* Effect.timeoutOption(FiberMap.awaitEmpty(inHand), within)
        yield* FiberMap.clear(inHand)
      })

      return ProvingWorker.of({ changes: SubscriptionRef.changes(status), drain })
    })
  )
}
