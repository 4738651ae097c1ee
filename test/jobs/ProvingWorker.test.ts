/** The proving worker and the jobs of a prover, over the models. */
import { assert, describe } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Option, Ref, Scope, Stream } from "effect"
import { BlockNumber, ProverGas } from "../../src/domain/Amount.ts"
import type { Address } from "../../src/domain/Hash.ts"
import { concatStatements, Proof } from "../../src/domain/Proof.ts"
import { type JobId, Jobs, type JobSpec, type JobState, OutputCheck } from "../../src/jobs/Jobs.ts"
import { BigFrom, blockJob, blockJobId, mergeJob, proofBytes, proofSystemOf } from "../../src/jobs/ProofJobs.ts"
import { ProvingHost, ProvingWorker } from "../../src/jobs/ProvingWorker.ts"
import { LedgerSource } from "../../src/ledger/LedgerSource.ts"
import { ProofSystem, ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import { RoleFibers } from "../../src/roles/RoleFibers.ts"
import { modelBlockProof } from "../../src/simulation/ModelProofs.ts"
import { account, firstRollup, headerOf, Knobs, modelPorts, refOf, strangersProof } from "../roles/model.ts"
import { pass, virtual } from "../simulation/virtual.ts"

/** A host with two slots; it ends with the scope. */
const startWorker = (host: Partial<ProvingHost> = {}) =>
  Effect.map(
    Layer.build(ProvingWorker.layer.pipe(
      Layer.provideMerge(RoleFibers.layer),
      Layer.provide(Layer.succeed(ProvingHost, { name: "first", sizes: ["small", "big"], cores: 2, memory: 4_096, ...host }))
    )),
    (built) => Context.get(built, ProvingWorker)
  )

const statusOf = ({ changes }: ProvingWorker["Service"]) => Effect.flatMap(Stream.runHead(changes), Effect.fromOption)

/** The job of a block, once the ledger has it. */
const jobOf = Effect.fnUntraced(function*(number: number) {
  return yield* blockJob(yield* ProofSystem, yield* (yield* LedgerSource).witness(BlockNumber.make(number)), account)
})

/** Submits the jobs of the first blocks. */
const submit = Effect.fnUntraced(function*(blocks: number) {
  yield* pass(6 * blocks)
  const specs = yield* Effect.forEach(Array.from({ length: blocks }, (_, i) => i + 1), jobOf)
  yield* (yield* Jobs).submit(specs)
  return specs
})

const attemptsOf = (job: JobId) =>
  Effect.flatMap(Jobs, (jobs) => Effect.map(Effect.flatMap(jobs.get(job), Effect.fromOption), ({ attempts }) => attempts.map(({ host, outcome }) => `${outcome} by ${host}`)))

const inState = (state: JobState) => Effect.flatMap(Jobs, (jobs) => Effect.map(jobs.list({ states: [state], most: 100 }), (all) => all.map(({ id }) => id)))

const proofOf = (number: number, owner: Address) => modelBlockProof(refOf(number - 1), headerOf(firstRollup, number), owner)

const begun = Effect.flatMap(Knobs, (knobs) => Ref.get(knobs.begun))

describe("a proving worker", () => {
  virtual("takes as many jobs as it has slots, in order, and its outputs are the proofs", () =>
    Effect.gen(function*() {
      const specs = yield* submit(3)
      const worker = yield* startWorker()
      yield* pass(1)
      assert.deepStrictEqual(yield* begun, [1, 2])
      assert.deepInclude({ ...yield* statusOf(worker) }, { running: 2, idle: null })
      yield* pass(4)
      assert.deepStrictEqual(yield* begun, [1, 2, 3])
      const jobs = yield* Jobs
      for (const { id } of specs) {
        const outcome = yield* jobs.outcome(id)
        assert(outcome._tag === "Done")
        const { statement } = yield* proofBytes.decode(outcome.output)
        assert.strictEqual(blockJobId(statement.to, account), id)
      }
    }).pipe(Effect.provide(modelPorts)))

  virtual("ND-5: says why it is idle", () =>
    Effect.gen(function*() {
      const worker = yield* startWorker()
      assert.match((yield* statusOf(worker)).idle ?? "", /no job waits/)
      const { failure } = yield* Knobs
      yield* Ref.set(failure, (block) => new ProvingFailed({ subject: `block ${block}`, reason: "the worker died", retry: true }))
      yield* submit(1)
      yield* pass(4.5)
      assert.match((yield* statusOf(worker)).idle ?? "", /rests, having failed once.*the worker died/)
      yield* worker.drain("1 second")
      assert.match((yield* statusOf(worker)).idle ?? "", /about to stop/)
    }).pipe(Effect.provide(modelPorts)))

  virtual("OC-4: a cancelled job is stopped at once, and its slot takes the next", () =>
    Effect.gen(function*() {
      const { interrupted, provingTime } = yield* Knobs
      yield* Ref.set(provingTime, Duration.minutes(10))
      const [first] = yield* submit(3)
      yield* startWorker()
      yield* pass(1)
      yield* (yield* Jobs).cancel([first!.id], "nobody needs it any more")
      yield* pass(1)
      assert.deepStrictEqual(yield* Ref.get(interrupted), [1])
      assert.deepStrictEqual(yield* begun, [1, 2, 3])
      assert.deepStrictEqual(yield* attemptsOf(first!.id), ["cancelled by first"])
    }).pipe(Effect.provide(modelPorts)))

  virtual("ND-4: a slot rests longer and longer while nothing succeeds", () =>
    Effect.gen(function*() {
      const { failure } = yield* Knobs
      yield* Ref.set(failure, (block) => new ProvingFailed({ subject: `block ${block}`, reason: "the prover is broken", retry: true }))
      const [only] = yield* submit(1)
      yield* startWorker()
      // Four seconds of proving, and rests of 1, 2, 4, ... seconds, of which two slots take one each.
      yield* pass(60)
      const many = (yield* attemptsOf(only!.id)).length
      assert.isAtMost(many, 9)
      assert.isAtLeast(many, 5)
      assert.deepStrictEqual(yield* inState("quarantined"), [], "nothing else succeeded either: the fault is not the job's")
    }).pipe(Effect.provide(modelPorts)))

  virtual("ND-4: what throws in a proof system is a failed attempt, and the worker goes on", () =>
    Effect.gen(function*() {
      const [first, second] = yield* submit(2)
      const system = yield* ProofSystem
      const broken = ProofSystem.of({
        ...system,
        proveBlock: (witness, ...rest) => witness.block.number === 1 ? Effect.die(new Error("a bug")) : system.proveBlock(witness, ...rest)
      })
      yield* startWorker().pipe(Effect.provideService(ProofSystem, broken))
      yield* pass(4)
      assert.include((yield* Effect.flatMap((yield* Jobs).get(first!.id), Effect.fromOption)).attempts[0]!.reason, "a bug")
      assert.deepStrictEqual(yield* attemptsOf(second!.id), ["done by first"])
    }).pipe(Effect.provide(modelPorts)))

  virtual("drains: what ends in time is done, the rest is given back and runs elsewhere, and nothing is taken", () =>
    Effect.gen(function*() {
      const { provingTime } = yield* Knobs
      const [short, long, next] = yield* submit(3)
      const scope = yield* Scope.make()
      const worker = yield* startWorker().pipe(Scope.provide(scope))
      yield* pass(1)
      const jobs = yield* Jobs
      yield* jobs.cancel([short!.id, long!.id], "begun anew with other times")
      yield* pass(1)
      yield* Ref.set(provingTime, Duration.minutes(10))
      yield* jobs.submit([long!])
      yield* pass(1)
      assert.deepStrictEqual((yield* begun).slice(-2), [3, 2])
      yield* Ref.set(provingTime, Duration.seconds(4))
      const draining = yield* Effect.forkChild(worker.drain("1 minute"))
      yield* pass(10)
      assert.deepStrictEqual(yield* attemptsOf(next!.id), ["done by first"])
      yield* jobs.submit([short!])
      yield* startWorker({ name: "second" })
      yield* pass(10)
      assert.deepStrictEqual(yield* attemptsOf(short!.id), ["cancelled by first", "done by second"], "it goes to who takes work")
      yield* Fiber.join(draining)
      yield* pass(5)
      assert.deepStrictEqual(yield* attemptsOf(long!.id), ["cancelled by first", "returned by first", "done by second"])
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(modelPorts)))

  virtual("gives back what it holds when it ends, and that is no failure", () =>
    Effect.gen(function*() {
      const [only] = yield* submit(1)
      for (let life = 0; life < 6; life++) yield* Effect.scoped(Effect.andThen(startWorker(), pass(1)))
      yield* startWorker()
      yield* pass(5)
      const attempts = yield* attemptsOf(only!.id)
      assert.deepStrictEqual(attempts, [...Array.from({ length: 6 }, () => "returned by first"), "done by first"])
    }).pipe(Effect.provide(modelPorts)))

  virtual("F8: big jobs, and those for other keys, wait for a host that has what they ask for", () =>
    Effect.gen(function*() {
      yield* pass(6)
      const jobs = yield* Jobs
      const big = yield* Effect.provideService(jobOf(1), BigFrom, ProverGas.make(1n))
      assert.strictEqual(big.size, "big")
      yield* jobs.submit([big])
      yield* startWorker({ sizes: ["small"] })
      yield* pass(10)
      assert.deepStrictEqual(yield* begun, [])
      const system = yield* ProofSystem
      const others = ProofSystem.of({ ...system, verifyingKeys: `0x${"11".repeat(32)}` })
      yield* startWorker({ name: "with other keys" }).pipe(Effect.provideService(ProofSystem, others))
      yield* pass(10)
      assert.deepStrictEqual(yield* begun, [])
      assert.match((yield* Effect.flatMap(jobs.get(big.id), Effect.fromOption)).reason, /takes big jobs/)
      yield* startWorker({ name: "large" })
      yield* pass(5)
      assert.deepStrictEqual(yield* attemptsOf(big.id), ["done by large"])
      assert.strictEqual(big.requires.proofSystem, proofSystemOf(system))
    }).pipe(Effect.provide(modelPorts)))

  virtual("a merge is done once both of what it merges are, from their outputs", () =>
    Effect.gen(function*() {
      const [left, right] = yield* submit(2)
      const jobs = yield* Jobs
      const [first, second] = [1, 2].map((number) => proofOf(number, account).statement)
      const merge = yield* mergeJob(yield* ProofSystem, left!.id, right!.id, Option.getOrThrow(concatStatements(first!, second!)))
      yield* jobs.submit([merge])
      assert.deepStrictEqual(yield* inState("blocked"), [merge.id])
      yield* startWorker()
      yield* pass(5)
      const outcome = yield* jobs.outcome(merge.id)
      assert(outcome._tag === "Done")
      assert.deepStrictEqual((yield* proofBytes.decode(outcome.output)).statement.leaves.map(({ blockHash }) => blockHash), [refOf(1).hash, refOf(2).hash])
    }).pipe(Effect.provide(modelPorts)))
})

describe("OC-1: what comes out of a job", () => {
  const refused = (output: Uint8Array, reason: RegExp) =>
    Effect.gen(function*() {
      yield* pass(12)
      const check = yield* OutputCheck
      const spec: JobSpec = yield* jobOf(1)
      yield* check(spec, proofBytes.encode(proofOf(1, account)))
      assert.match((yield* Effect.flip(check(spec, output))).reason, reason)
    }).pipe(Effect.provide(modelPorts))

  virtual("is refused if it cannot be read", () => refused(new TextEncoder().encode("{}"), /Missing key/))
  virtual("is refused if it is a valid proof of another block", () => refused(proofBytes.encode(proofOf(2, account)), /something else/))
  virtual("is refused if it is a valid proof in another's name", () => refused(proofBytes.encode(strangersProof(1)), /something else/))
  virtual("is refused if the proof is none", () =>
    refused(proofBytes.encode(new Proof({ ...proofOf(1, account), bytes: proofOf(2, account).bytes })), /not those of its statement/))
})
