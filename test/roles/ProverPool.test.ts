/** The prover pool: the side that asks. Whoever proves is on hosts that come and go. */
import { assert, describe } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Ref, Scope, Stream } from "effect"
import { Jobs, JobState } from "../../src/jobs/Jobs.ts"
import { blockJobId } from "../../src/jobs/ProofJobs.ts"
import { ProvingHost, ProvingWorker } from "../../src/jobs/ProvingWorker.ts"
import { L1PollInterval } from "../../src/l1/Follower.ts"
import { connectRoles, startRoles } from "../../src/node/ProverNode.ts"
import { ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import { ProverPool } from "../../src/roles/ProverPool.ts"
import { RoleFibers } from "../../src/roles/RoleFibers.ts"
import { TreePlanner } from "../../src/roles/TreePlanner.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { Store } from "../../src/store/Store.ts"
import { account, Knobs, modelPorts, refOf } from "./model.ts"
import { pass, virtual } from "../simulation/virtual.ts"

const world = connectRoles.pipe(
  Layer.provideMerge(Layer.mergeAll(modelPorts, MemoryTransport.layer, Layer.succeed(L1PollInterval, "250 millis")))
)

/** The pool alone, and one host that proves. */
const alone = ProverPool.layer.pipe(Layer.provideMerge(modelPorts))

const startHost = (name: string) =>
  Effect.map(
    Layer.build(ProvingWorker.layer.pipe(
      Layer.provideMerge(RoleFibers.layer),
      Layer.provide(Layer.succeed(ProvingHost, { name, sizes: ["small", "big"], cores: 2, memory: 4_096 }))
    )),
    (built) => Context.get(built, ProvingWorker)
  )

const now = <A, E>(stream: Stream.Stream<A, E>) => Effect.flatMap(Stream.runHead(stream), Effect.fromOption)
const poolNow = Effect.flatMap(ProverPool, (pool) => now(pool.changes()))
const plannerNow = Effect.flatMap(TreePlanner, (planner) => now(planner.changes()))
const jobsIn = (...states: ReadonlyArray<JobState>) =>
  Effect.flatMap(Jobs, (jobs) => Effect.map(jobs.list({ states, most: 100 }), (all) => all.map(({ id }) => id)))
const outcomesOf = (number: number) =>
  Effect.flatMap(Jobs, (jobs) =>
    Effect.map(Effect.flatMap(jobs.get(blockJobId(refOf(number), account)), Effect.fromOption), ({ attempts }) => attempts.map(({ outcome }) => outcome)))

describe("the prover pool", () => {
  virtual("whoever stops waiting does not stop the work, and whoever asks again waits for the same", () =>
    Effect.gen(function*() {
      const pool = yield* ProverPool
      const { begun, interrupted } = yield* Knobs
      yield* startHost("only")
      yield* pass(7)
      const first = yield* Effect.forkChild(pool.proveBlock({ block: refOf(1) }))
      yield* pass(2)
      yield* Fiber.interrupt(first)
      yield* pass(1)
      const proof = yield* pool.proveBlock({ block: refOf(1) })
      assert.deepStrictEqual([yield* Ref.get(begun), yield* Ref.get(interrupted)], [[1], []])
      assert.deepStrictEqual(yield* (yield* Store).proofsBeyond(0 as never), [proof])
    }).pipe(Effect.provide(alone)))

  virtual("OC-4: what is cancelled stops at once; whoever still waits hears it, and may ask again", () =>
    Effect.gen(function*() {
      const pool = yield* ProverPool
      const { interrupted } = yield* Knobs
      yield* startHost("only")
      yield* pass(7)
      const first = yield* Effect.forkChild(Effect.flip(pool.proveBlock({ block: refOf(1) })))
      yield* pass(2)
      yield* pool.cancel({ blocks: [refOf(1)], reason: "somebody else proved it" })
      assert.match((yield* Fiber.join(first)).message, /cancelled: somebody else proved it/)
      yield* pass(1)
      assert.deepStrictEqual(yield* Ref.get(interrupted), [1])
      yield* pool.proveBlock({ block: refOf(1) })
      assert.deepStrictEqual(yield* outcomesOf(1), ["cancelled", "done"])
    }).pipe(Effect.provide(alone)))

  virtual("ND-5: shows who proves what, how much all hosts can do, and what none can", () =>
    Effect.gen(function*() {
      const pool = yield* ProverPool
      yield* pass(13)
      const asking = yield* Effect.forkChild(Effect.forEach([1, 2], (number) => pool.proveBlock({ block: refOf(number) }), { concurrency: 2 }))
      yield* pass(1)
      assert.deepInclude({ ...yield* poolNow }, { capacity: 0, waiting: 2, idle: "no host proves at the moment" })
      assert.match((yield* poolNow).alarm ?? "", /^no host can do block:[12]:.*nor 1 others$/)
      const one = yield* startHost("one")
      yield* startHost("two")
      yield* pass(1)
      const status = yield* poolNow
      assert.deepInclude({ ...status }, { capacity: 4, waiting: 0, alarm: null })
      assert.deepStrictEqual(status.running.map(({ block, kind }) => `${kind} ${block}`).toSorted(), ["block 1", "block 2"])
      assert.isTrue(status.running.every(({ host }) => host === "one" || host === "two"))
      yield* one.drain("1 minute")
      yield* pass(1)
      assert.strictEqual((yield* poolNow).capacity, 2)
      yield* Fiber.join(asking)
    }).pipe(Effect.provide(alone)))
})

describe("the planner and the pool", () => {
  virtual("as many proofs are asked for as all hosts can run at once, and fewer when one goes", () =>
    Effect.gen(function*() {
      const { provingTime } = yield* Knobs
      yield* Ref.set(provingTime, Duration.hours(1))
      yield* startRoles()
      const second = yield* Scope.make()
      yield* startHost("second").pipe(Scope.provide(second))
      yield* pass(60)
      assert.strictEqual((yield* jobsIn("running")).length, 4)
      yield* Scope.close(second, Exit.void)
      yield* pass(2)
      assert.strictEqual((yield* poolNow).capacity, 2)
      assert.deepStrictEqual([(yield* jobsIn("running")).length, (yield* jobsIn("ready")).length], [2, 2], "what the other had waits")
      assert.strictEqual((yield* plannerNow).running.length, 4)
    }).pipe(Effect.provide(world)))

  virtual("a planner that starts elsewhere takes up what was asked for, and cancels what nobody needs any more", () =>
    Effect.gen(function*() {
      const { begun, provingTime, revert } = yield* Knobs
      yield* Ref.set(provingTime, Duration.minutes(2))
      // A host of its own: it lives on while the roles move.
      yield* startHost("elsewhere")
      yield* Effect.scoped(Effect.andThen(startRoles(), pass(40)))
      const running = yield* jobsIn("running")
      const kept = running.map((id) => Number(id.split(":")[1]))
      assert.isNotEmpty(running)
      yield* pass(1)
      assert.deepStrictEqual(yield* jobsIn("running"), running, "no planner, and the work goes on")
      yield* Effect.scoped(Effect.andThen(startRoles(), pass(5)))
      assert.includeMembers(yield* jobsIn("running"), running)
      assert.strictEqual((yield* Ref.get(begun)).filter((number) => kept.includes(number)).length, kept.length, "none is begun again")
      yield* revert
      yield* startRoles()
      yield* pass(15)
      assert.notIncludeMembers(yield* jobsIn("running"), running, "the ledger has replaced those blocks")
      assert.includeMembers(yield* jobsIn("cancelled"), running)
    }).pipe(Effect.provide(world)))

  virtual("ND-4: what the operator lets out of quarantine is asked for again", () =>
    Effect.gen(function*() {
      const { failure } = yield* Knobs
      yield* Ref.set(failure, (block) =>
        block === 2 ? new ProvingFailed({ subject: "block 2", reason: "the witness does not satisfy the circuit", retry: false }) : undefined)
      yield* startRoles()
      yield* pass(30)
      assert.deepStrictEqual<ReadonlyArray<number>>((yield* plannerNow).quarantined, [2])
      assert.strictEqual((yield* poolNow).quarantined, 1)
      yield* Ref.set(failure, () => undefined)
      yield* (yield* Jobs).retry(blockJobId(refOf(2), account))
      yield* pass(10)
      const view = yield* plannerNow
      assert.deepStrictEqual(view.quarantined, [])
      assert.isAtLeast(view.provenTo.number, 3)
    }).pipe(Effect.provide(world)))

  virtual("what is settled is forgotten, with its bytes", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* pass(120)
      const { tip } = yield* plannerNow
      assert.isAtLeast(tip.number, 9)
      assert.isAtMost((yield* jobsIn(...JobState.literals)).length, 8)
      const jobs = yield* Jobs
      assert.strictEqual((yield* jobs.output(blockJobId(refOf(1), account)))._tag, "None")
    }).pipe(Effect.provide(world)))
})
