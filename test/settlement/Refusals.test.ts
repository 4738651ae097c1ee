/**
 * Bad input, twice: the contract refuses it with its own error, and the node refuses it before it would spend gas.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Result } from "effect"
import { BaseError, ContractFunctionRevertedError, createPublicClient, http } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import { fullBlocks } from "../../bench/Blocks.ts"
import { certify, checkpointOf, freshWorld, registerChain } from "../../bench/L1World.ts"
import { l1Accounts } from "../../src/devnet/Chain.ts"
import { Checkpoint, genesisCheckpoint } from "../../src/domain/Checkpoint.ts"
import { CheckpointId, type HexBytes, StateRoot, toAddress, toHex32 } from "../../src/domain/Hash.ts"
import { Leaf, Proof, Statement } from "../../src/domain/Proof.ts"
import { validatorKeyPairFrom, verifyCertificate, verifyPossession } from "../../src/domain/QuorumCertificate.ts"
import { planUpdate } from "../../src/domain/UpdatePlan.ts"
import { checkpointRegistryAbi, settlementErrorsAbi, stateUpdateAbi } from "../../src/l1/abi.ts"
import type { Update } from "../../src/l1/L1.ts"
import { encodeUpdate } from "../../src/l1/Calls.ts"
import { devnetValidatorRegistration, devnetValidatorSet } from "../../src/ledger/Validators.ts"
import { loadKeys } from "../../src/proofs/CircuitKeys.ts"
import * as Groth16 from "../../src/proofs/Groth16.ts"
import { ProofSystem } from "../../src/proofs/ProofSystem.ts"

const prover = toAddress(privateKeyToAddress(Redacted.value(l1Accounts.proverKey)))
const stranger = toAddress(`0x${"77".repeat(20)}`)
const { blocks, genesis } = fullBlocks("refusals", 4)
const headers = blocks.map(({ block }) => block.header)

/** Blocks 1 to 3 proven, and checkpoints of blocks 2 and 4 on L1. */
class Scene extends Context.Service<Scene, {
  readonly world: Effect.Success<ReturnType<typeof freshWorld>>
  readonly checkpoints: ReadonlyArray<Checkpoint>
  readonly proofs: readonly [Proof, Proof, Proof]
}>()("test/Scene") {
  static readonly layer = Layer.effect(Scene, Effect.gen(function*() {
    const system = yield* ProofSystem
    const world = yield* freshWorld("refusals", genesis, 4)
    const { checkpoints } = yield* registerChain(world, genesis, [headers[1]!, headers[3]!])
    const prove = (i: number) => system.proveBlock(blocks[i]!.witness, prover, () => Effect.void)
    const proofs = yield* Effect.all([prove(0), prove(1), prove(2)], { concurrency: "unbounded" })
    return Scene.of({ world, checkpoints, proofs })
  }))
}

const services = Scene.layer.pipe(
  Layer.provideMerge(Layer.unwrap(Effect.map(loadKeys(), (keys) => Groth16.layer({ keys })))),
  Layer.provideMerge(NodeServices.layer)
)

const updateOf = (system: ProofSystem["Service"], proof: Proof, checkpoints: ReadonlyArray<Checkpoint>): Update => ({
  statement: proof.statement,
  system: proof.system,
  mergers: [],
  checkpoints,
  ancestry: [],
  proof: system.encodeForL1(proof, undefined)
})

const dryRun = ({ l1 }: Effect.Success<ReturnType<typeof freshWorld>>, update: Update) => l1.dryRun({ kind: "update", update })

/** The custom error that a call to the registry ends with. */
const registryRefusal = (world: Effect.Success<ReturnType<typeof freshWorld>>, checkpoint: Checkpoint, certificate = certify(world, checkpoint)) =>
  Effect.promise(async () => {
    const client = createPublicClient({ transport: http(world.url) })
    const call = client.simulateContract({
      address: world.deployment.registry,
      abi: checkpointRegistryAbi,
      functionName: "register",
      args: [
        { parentId: checkpoint.parent, number: BigInt(checkpoint.number), blockHash: checkpoint.blockHash, stateRoot: checkpoint.stateRoot },
        certificate.signers,
        certificate.signature
      ]
    })
    return call.then(() => "nothing", (error: unknown) => {
      const reverted = error instanceof BaseError ? error.walk((each) => each instanceof ContractFunctionRevertedError) : null
      return reverted instanceof ContractFunctionRevertedError ? reverted.data?.errorName : String(error)
    })
  })

layer(services, { excludeTestServices: true, timeout: "5 minutes" })("bad input is refused by the contract and by the node", (it) => {
  it.effect("ST-5, ST-7: what is refused below is taken when it is right, from anybody, under the system that it names", () =>
    Effect.gen(function*() {
      const { checkpoints, proofs, world } = yield* Scene
      const system = yield* ProofSystem
      const two = yield* system.merge(proofs[0], proofs[1])
      yield* system.verify(two)
      const update = updateOf(system, two, checkpoints.slice(0, 1))
      assert.isAbove(Number(yield* dryRun(world, update)), 100_000)
      // Whoever it is, registered nowhere: the race is open.
      const submit = (system: number) =>
        Effect.promise(() =>
          createPublicClient({ transport: http(world.url) }).simulateContract({
            account: stranger,
            address: world.deployment.stateUpdate,
            abi: [...stateUpdateAbi, ...settlementErrorsAbi],
            functionName: "submit",
            args: [{ ...encodeUpdate(update), system }]
          }).then(() => "taken", (error: unknown) => String(error)))
      assert.strictEqual(yield* submit(1), "taken")
      assert.match(yield* submit(2), /ST3_SystemUnknown/)
    }))

  it.effect("ND-3: the same call signed again has the same nonce, other fees, and would be taken as well", () =>
    Effect.gen(function*() {
      const { checkpoints, proofs, world: { l1 } } = yield* Scene
      const system = yield* ProofSystem
      const two = yield* system.merge(proofs[0], proofs[1])
      const call = { kind: "update", update: updateOf(system, two, checkpoints.slice(0, 1)) } as const
      const gas = yield* l1.dryRun(call)
      const fees = (gwei: bigint) => ({ maxFeePerGas: gwei * 10n ** 9n, maxPriorityFeePerGas: gwei * 10n ** 8n })
      const cheap = yield* l1.sign(call, gas, fees(8n))
      const dear = yield* l1.resign(cheap, gas, fees(9n))
      assert.deepStrictEqual([l1.feesOf(cheap), l1.feesOf(dear)], [fees(8n), fees(9n)])
      assert.strictEqual(dear.nonce, cheap.nonce)
      assert.notStrictEqual(dear.hash, cheap.hash)
      assert.strictEqual(yield* l1.dryRunSigned(dear), gas)
      assert.isFalse(yield* l1.knows(dear.hash), "it was not sent")
      // What takes its place does nothing, for the same nonce and little gas.
      const undone = yield* l1.cancel(dear, fees(10n))
      assert.strictEqual(undone.nonce, dear.nonce)
      assert.strictEqual(yield* l1.dryRunSigned(undone), 21_000n)
    }))

  it.effect("ST-3, OC-1: a proof with one flipped bit", () =>
    Effect.gen(function*() {
      const { checkpoints, proofs, world } = yield* Scene
      const system = yield* ProofSystem
      const two = yield* system.merge(proofs[0], proofs[1])
      const flipped = (hex: HexBytes) => (hex.slice(0, -1) + (parseInt(hex.at(-1)!, 16) ^ 1).toString(16)) as HexBytes
      assert.strictEqual((yield* Effect.flip(system.verify(new Proof({ ...two, bytes: flipped(two.bytes) }))))._tag, "ProofInvalid")
      const update = updateOf(system, two, checkpoints.slice(0, 1))
      const refused = yield* Effect.flip(dryRun(world, { ...update, proof: flipped(update.proof) }))
      assert.match(refused.message, /ST3_(PointInvalid|ProofInvalid)/)
    }))

  it.effect("ST-3, RW-3: a proof over another prover's name", () =>
    Effect.gen(function*() {
      const { checkpoints, proofs, world } = yield* Scene
      const system = yield* ProofSystem
      const two = yield* system.merge(proofs[0], proofs[1])
      const [first, ...rest] = two.statement.leaves
      const stolen = new Proof({
        ...two,
        statement: new Statement({ from: two.statement.from, leaves: [new Leaf({ ...first, prover: stranger }), ...rest] })
      })
      assert.strictEqual((yield* Effect.flip(system.verify(stolen)))._tag, "ProofInvalid")
      const refused = yield* Effect.flip(dryRun(world, updateOf(system, stolen, checkpoints.slice(0, 1))))
      assert.match(refused.message, /ST3_ProofInvalid/)
    }))

  it.effect("ST-2: an END that nobody continues", () =>
    Effect.gen(function*() {
      const { checkpoints, proofs, world } = yield* Scene
      const system = yield* ProofSystem
      const three = yield* system.merge(yield* system.merge(proofs[0], proofs[1]), proofs[2])
      const plan = planUpdate(three.statement.from, checkpoints.slice(0, 1), [three], { blocksPerUpdate: 1, maxBlocks: 8 }, true)
      assert.isTrue(Result.isFailure(plan))
      const refused = yield* Effect.flip(dryRun(world, updateOf(system, three, checkpoints.slice(0, 1))))
      assert.match(refused.message, /ST2_NotContinued/)
      // A checkpoint that does continue it is no help without the proof of ancestry.
      assert.match((yield* Effect.flip(dryRun(world, updateOf(system, three, checkpoints)))).message, /ST3_/)
    }))

  it.effect("ST-2: an update towards a checkpoint that is not registered", () =>
    Effect.gen(function*() {
      const { checkpoints, proofs, world } = yield* Scene
      const system = yield* ProofSystem
      const invented = new Checkpoint({ ...checkpoints[0]!, stateRoot: StateRoot.make(toHex32(1n)) })
      const two = yield* system.merge(proofs[0], proofs[1])
      assert.match((yield* Effect.flip(dryRun(world, updateOf(system, two, [invented])))).message, /ST2_CheckpointUnknown/)
    }))

  it.effect("CP-1: a checkpoint off the chain", () =>
    Effect.gen(function*() {
      const { world } = yield* Scene
      const system = yield* ProofSystem
      const sibling = checkpointOf(genesisCheckpoint({ number: genesis.number, hash: genesis.hash } as never, genesis.stateRoot), headers[2]!)
      assert.strictEqual(yield* registryRefusal(world, sibling), "CP1_ParentIsNotHead")
      const orphan = new Checkpoint({ ...sibling, parent: CheckpointId.make(toHex32(9n)) })
      assert.strictEqual(yield* registryRefusal(world, orphan), "CP1_ParentIsNotHead")
      // Whoever proves ancestry towards a block off the chain of headers finds out before anything is proven.
      const failed = yield* Effect.flip(system.proveAncestry([headers[0]!, headers[2]!], () => Effect.void))
      assert.strictEqual(failed._tag, "ProvingFailed")
    }))

  it.effect("CP-2: a certificate with too few signers", () =>
    Effect.gen(function*() {
      const { checkpoints, world } = yield* Scene
      const next = new Checkpoint({ ...checkpoints[1]!, parent: checkpoints[1]!.id, number: 5 as never })
      const certificate = certify(world, next, 2)
      assert.strictEqual(yield* registryRefusal(world, next, certificate), "CP2_QuorumNotReached")
      const domain = { chainId: world.l1.chainId, registry: world.deployment.registry, epoch: 0n }
      const belief = verifyCertificate(devnetValidatorSet(world.config), domain, next, certificate)
      assert.isTrue(Result.isFailure(belief) && belief.failure._tag === "QuorumNotReached")
    }))

  it.effect("CP-2: a rogue key without proof of possession", () =>
    Effect.gen(function*() {
      const { world } = yield* Scene
      const { possessions, publicKeys } = devnetValidatorRegistration(world.config)
      const rogue = validatorKeyPairFrom("rogue").publicKey
      assert.isTrue(Result.isFailure(verifyPossession(rogue, possessions[0]!)))
      const registration = { publicKeys: [rogue, ...publicKeys.slice(1)], possessions }
      const failed = yield* Effect.flip(freshWorld("refusals", genesis, 4, registration))
      assert.match(String(failed), /validator 0 does not prove that it holds its key/)
    }).pipe(Effect.scoped))
})

describe("the scene", () => {
  it("is over blocks of one chain", () => {
    assert.deepStrictEqual(headers.map(({ parentHash }) => parentHash), [genesis, ...headers].slice(0, 4).map(({ hash }) => hash))
  })
})
