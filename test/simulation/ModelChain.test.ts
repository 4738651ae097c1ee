/** The models themselves: what a node may take for granted of its L1, and what they refuse. */
import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Ref, Result } from "effect"
import { Checkpoint, QuorumCertificate } from "../../src/domain/Checkpoint.ts"
import { concatStatements } from "../../src/domain/Proof.ts"
import { L1 } from "../../src/l1/L1.ts"
import { ModelChain, nonceIn } from "../../src/simulation/ModelChain.ts"
import { ModelConsensus, sendAs } from "../../src/simulation/ModelConsensus.ts"
import * as ModelL1 from "../../src/simulation/ModelL1.ts"
import { blockIn, headerIn, ModelLedger } from "../../src/simulation/ModelLedger.ts"
import { modelBlockProof } from "../../src/simulation/ModelProofs.ts"
import { simulatedAccount } from "../../src/simulation/Simulation.ts"
import { hashOf, type ModelCall, ModelTransaction, rawOf, transactionOf } from "../../src/simulation/ModelTransaction.ts"
import { pass, virtual } from "./virtual.ts"
import { deedsOf, minute, said, worldOf } from "./world.ts"

const [alice, bob] = [simulatedAccount(1), simulatedAccount(2)]
const gwei = 10n ** 9n
const fees = (tip: bigint, most = 10n * gwei) => ({ maxFeePerGas: most, maxPriorityFeePerGas: tip })
const transaction = (nonce: number, tip: bigint, call: ModelCall = { kind: "join" }, sender = alice, most?: bigint) =>
  rawOf(new ModelTransaction({ sender, nonce, gas: 100_000n, ...fees(tip, most), call }))
const send = (raw: ReturnType<typeof rawOf>) => Effect.flatMap(ModelChain, (chain) => chain.send(raw))
const world = worldOf("chain")
const l1 = ModelL1.layer(alice).pipe(Layer.provideMerge(world))

/** Both blocks of the first checkpoint, proven by an account. */
const update = (prover: typeof alice) =>
  Effect.gen(function*() {
    const rollup = yield* (yield* ModelLedger).rollup
    const [first, second] = [1, 2].map((number) => modelBlockProof(blockIn(rollup, number - 1)!, headerIn(rollup, number)!, prover))
    const checkpoints = [(yield* said("CheckpointRegistered"))[1]!.checkpoint]
    const statement = yield* Effect.orDie(Effect.fromOption(concatStatements(first!.statement, second!.statement)))
    return { statement, system: "groth16", mergers: [], checkpoints, ancestry: [], proof: `${first!.bytes}${second!.bytes.slice(2)}` } as const
  })

describe("the model's mempool", () => {
  virtual("keeps an account's transactions in the order of their nonces, whatever they offer, and everybody's by their tips", () =>
    Effect.gen(function*() {
      yield* send(transaction(1, 9n, { kind: "leave" }))
      yield* send(transaction(0, 1n))
      yield* send(transaction(0, 5n, { kind: "join" }, bob))
      yield* pass(2)
      const mined = (yield* (yield* ModelChain).head).transactions
      assert.deepStrictEqual(mined.map(({ transaction: { nonce, sender } }) => [sender, nonce]), [[bob, 0], [alice, 0], [alice, 1]])
      assert.strictEqual((yield* Effect.flip(send(transaction(1, 99n))))._tag, "NonceUsed")
    }).pipe(Effect.provide(world)))

  virtual("holds what offers too little until it is replaced by a tenth more, and takes the same bytes twice as once", () =>
    Effect.gen(function*() {
      const chain = yield* ModelChain
      yield* Ref.set(chain.gasPrice, 3n * gwei)
      const cheap = transaction(0, 100n, { kind: "join" }, alice, 2n * gwei)
      yield* send(cheap)
      yield* send(cheap)
      yield* pass(minute)
      assert.isTrue(yield* chain.waits(hashOf(cheap)))
      assert.strictEqual((yield* Effect.flip(send(transaction(0, 109n, { kind: "join" }, alice, 4n * gwei))))._tag, "Underpriced")
      yield* send(transaction(0, 110n, { kind: "join" }, alice, 4n * gwei))
      assert.isFalse(yield* chain.waits(hashOf(cheap)))
      yield* pass(2)
      assert.deepStrictEqual(yield* deedsOf(alice), ["join"])
    }).pipe(Effect.provide(world)))

  virtual("includes what fails as well: it uses its nonce, costs its gas, and says nothing", () =>
    Effect.gen(function*() {
      yield* send(transaction(0, 1n, { kind: "leave" }))
      yield* pass(2)
      const { events, transactions: [failed] } = yield* (yield* ModelChain).head
      assert.strictEqual(failed!.error, `ST6_NotRegistered(${alice})`)
      assert.strictEqual(failed!.paid, 100_000n * gwei)
      assert.deepStrictEqual(events, [])
    }).pipe(Effect.provide(world)))
})

describe("the model's reorganisations", () => {
  virtual("put other blocks in the same slots: what is kept happens again, the rest can be sent again as it is", () =>
    Effect.gen(function*() {
      const chain = yield* ModelChain
      const [mine, theirs] = [transaction(0, 2n), transaction(0, 1n, { kind: "join" }, bob)]
      yield* send(mine)
      yield* pass(2)
      yield* send(theirs)
      yield* pass(2)
      const before = yield* chain.blocks
      yield* chain.reorg(2, ({ transaction: { sender } }) => sender === bob)
      const after = yield* chain.blocks
      assert.deepStrictEqual(after.map(({ timestamp }) => timestamp), before.map(({ timestamp }) => timestamp))
      assert.deepStrictEqual(after.map(({ hash }, i) => hash === before[i]!.hash), before.map((_, i) => i < before.length - 2))
      assert.deepStrictEqual((yield* said("ProverRegistered")).map(({ position, prover }) => ({ position, prover })), [{ position: 0, prover: bob }])
      assert.isUndefined(yield* chain.find(hashOf(mine)))
      assert.strictEqual(nonceIn(yield* chain.head, alice), 0)
      yield* send(mine)
      yield* pass(2)
      assert.deepStrictEqual((yield* chain.head).state.provers.order.map(({ prover }) => prover), [bob, alice])
    }).pipe(Effect.provide(world)))
})

describe("what the model's contracts refuse", () => {
  virtual("ST-3: a proof of another prover's work, and one of other bytes", () =>
    Effect.gen(function*() {
      yield* pass(25 * minute)
      const chain = yield* ModelChain
      const good = yield* update(alice)
      const attempt = (proof: typeof good.proof) =>
        Effect.map(chain.attempt({ kind: "update", update: { ...good, proof } }, alice, "latest"), (done) =>
          Result.isSuccess(done) ? "taken" : done.failure.error)
      assert.strictEqual(yield* attempt(good.proof), "taken")
      assert.strictEqual(yield* attempt((yield* update(bob)).proof), "ST3_ProofInvalid")
      assert.strictEqual(yield* attempt(`${good.proof.slice(0, -2)}00` as typeof good.proof), "ST3_ProofInvalid")
    }).pipe(Effect.provide(world)))

  virtual("CP-2: a checkpoint whose certificate is another's", () =>
    Effect.gen(function*() {
      yield* (yield* ModelConsensus).allow(2)
      yield* pass(45 * minute)
      const [, first] = yield* said("CheckpointRegistered")
      const rollup = yield* (yield* ModelLedger).rollup
      const header = headerIn(rollup, 4)!
      const checkpoint = new Checkpoint({ parent: first!.checkpoint.id, number: header.number, blockHash: header.hash, stateRoot: header.stateRoot })
      const certificate = new QuorumCertificate({ ...first!.certificate })
      yield* sendAs(bob, { kind: "checkpoint", checkpoint, certificate })
      yield* pass(2)
      assert.deepStrictEqual(yield* deedsOf(bob), ["checkpoint: CP2_SignatureInvalid()"])
    }).pipe(Effect.provide(world)))
})

describe("the model's L1 port", () => {
  virtual("ND-3: signed bytes say all that they do, and a dry run tells what L1 would say without doing it", () =>
    Effect.gen(function*() {
      yield* pass(25 * minute)
      const port = yield* L1
      const call = { kind: "update", update: yield* update(alice) } as const
      const gas = yield* port.dryRun(call)
      const signed = yield* port.sign(call, gas, fees(gwei))
      assert.strictEqual(rawOf(transactionOf(signed.raw)), signed.raw)
      assert.strictEqual(signed.hash, hashOf(signed.raw))
      assert.deepStrictEqual(port.feesOf(signed), fees(gwei))
      assert.deepStrictEqual(yield* said("StateUpdated"), [])
      yield* port.send(signed)
      assert.isTrue(yield* port.knows(signed.hash))
      assert.match((yield* Effect.flip(port.dryRun(call))).message, /AlreadyProven\(2, 2\)/, "behind what waits")
      assert.strictEqual(yield* port.dryRunSigned(signed), gas, "as if nothing waited")
      yield* pass(2)
      assert.deepStrictEqual((yield* said("StateUpdated")).map(({ submitter }) => submitter), [alice])
      assert.match((yield* Effect.flip(port.dryRunSigned(signed))).message, /AlreadyProven/)
    }).pipe(Effect.provide(l1)))

  virtual("a cancelled transaction can never be included", () =>
    Effect.gen(function*() {
      const port = yield* L1
      const chain = yield* ModelChain
      yield* Ref.set(chain.gasPrice, 3n * gwei)
      const signed = yield* port.sign({ kind: "claim", account: alice }, 60_000n, fees(gwei, 2n * gwei))
      yield* port.send(signed)
      yield* port.send(yield* port.cancel(signed, fees(2n * gwei, 4n * gwei)))
      yield* pass(2)
      assert.deepStrictEqual(yield* deedsOf(alice), ["nothing"])
      assert.strictEqual((yield* Effect.flip(port.send(signed)))._tag, "NonceUsed")
    }).pipe(Effect.provide(l1)))
})
