/**
 * A node over the real contracts on a real chain, with proofs that take no time: the verifier on this chain takes any. What is under
 * test is what the node does on L1, and what the contracts answer.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert } from "@effect/vitest"
import { Context, Effect, Layer, Option, Redacted, Ref, Stream } from "effect"
import { createTestClient, http, type LocalAccount } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { freshWorld, register, send, type World } from "../../bench/L1World.ts"
import { l1Accounts } from "../../src/devnet/Chain.ts"
import { ProverGas } from "../../src/domain/Amount.ts"
import { type Checkpoint } from "../../src/domain/Checkpoint.ts"
import { type Address, toAddress } from "../../src/domain/Hash.ts"
import { AncestryProof, concatStatements, Leaf, Proof, Statement } from "../../src/domain/Proof.ts"
import { defaultParameters, type ProtocolParameters } from "../../src/domain/ProtocolParameters.ts"
import { rewardVaultAbi, stateUpdateAbi } from "../../src/l1/abi.ts"
import { encodeUpdate } from "../../src/l1/Calls.ts"
import type { L1Event } from "../../src/l1/Events.ts"
import { proofCheck } from "../../src/jobs/ProofJobs.ts"
import * as SqlJobs from "../../src/jobs/SqlJobs.ts"
import { L1PollInterval } from "../../src/l1/Follower.ts"
import { L1 } from "../../src/l1/L1.ts"
import { devnetPriceRule } from "../../src/ledger/DevnetLedgerConfig.ts"
import { connectRoles, startRoles } from "../../src/node/ProverNode.ts"
import { ProofSystem, ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import { FeeOptions } from "../../src/roles/FeeController.ts"
import { AuditorOptions, RewardAuditor } from "../../src/roles/RewardAuditor.ts"
import { Settler, SettlerOptions } from "../../src/roles/Settler.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import type { Database } from "../../src/store/Database.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteDatabase from "../../src/store/SqliteDatabase.ts"
import * as SqlStore from "../../src/store/SqlStore.ts"
import { fixedLedger } from "./fixedLedger.ts"
import { eventually } from "./realNode.ts"

const ledger = fixedLedger("settler", 4)
const { blocks, genesis, genesisRef } = ledger
export const headers = blocks.map(({ block }) => block.header)
export const potOf = (number: number): bigint => headers[number - 1]!.proverFees

export const gwei = 10n ** 9n
export const proverAccount = privateKeyToAccount(Redacted.value(l1Accounts.proverKey)) as LocalAccount
export const prover = toAddress(proverAccount.address)
export const rival = toAddress(l1Accounts.sequencer.address)

/** One block's proof in somebody's name. */
export const proofBy = (owner: Address, number: number): Proof => {
  const { hash, proverFees, proverGasUsed } = headers[number - 1]!
  return new Proof({
    statement: new Statement({
      from: number === 1 ? genesisRef : blocks[number - 2]!.block.ref,
      leaves: [new Leaf({ blockHash: hash, prover: owner, proverFees, proverGas: proverGasUsed })]
    }),
    system: "groth16",
    bytes: `0x${"00".repeat(256)}`
  })
}

const joined = (left: Proof, right: Proof) =>
  new Proof({
    statement: Option.getOrThrow(concatStatements(left.statement, right.statement)),
    system: "groth16",
    bytes: `${left.bytes}${right.bytes.slice(2)}` as never
  })

/** Which blocks cannot be proven. */
class Unprovable extends Context.Service<Unprovable, Ref.Ref<(block: number) => boolean>>()("test/Unprovable") {}

const instantProofs = Layer.effect(ProofSystem, Effect.gen(function*() {
  const unprovable = yield* Unprovable
  return ProofSystem.of({
    id: "groth16",
    verifyingKeys: `0x${"00".repeat(32)}`,
    capacity: 2,
    mergeWork: false,
    maxLeaves: 16,
    proveBlock: Effect.fnUntraced(function*({ block }, owner) {
      if ((yield* Ref.get(unprovable))(block.number)) {
        return yield* new ProvingFailed({ subject: `block ${block.number}`, reason: "the test says so", retry: true })
      }
      return proofBy(owner, block.number)
    }),
    proveAncestry: (chain) =>
      Effect.succeed(new AncestryProof({
        system: "groth16",
        end: chain[0]!.hash,
        via: [],
        checkpointBlock: chain[chain.length - 1]!.hash,
        bytes: `0x${"00".repeat(256)}`
      })),
    merge: (left, right) => Effect.succeed(joined(left, right)),
    verify: () => Effect.void,
    verifyAncestry: () => Effect.void,
    encodeForL1: (proof, ancestry) => (ancestry === undefined ? proof.bytes : `${proof.bytes}${ancestry.bytes.slice(2)}`) as never
  })
}))

/** Answers "true" to whatever it is called with. */
const takesAnything = "0x600160005260206000f3"

const testClient = ({ url }: Pick<World, "url">) => createTestClient({ mode: "anvil", transport: http(url) })

/** The contracts on a fresh chain, with pots for all blocks. */
export const settlerWorld = Effect.fnUntraced(function*(parameters: ProtocolParameters = defaultParameters) {
  const world = yield* freshWorld("settler", genesis, 4, undefined, parameters)
  yield* Effect.promise(() => testClient(world).setCode({ address: world.deployment.groth16, bytecode: takesAnything }))
  yield* send(world, {
    address: world.deployment.vault,
    abi: rewardVaultAbi,
    functionName: "fund",
    value: ledger.pots
  })
  return { ...world, parameters }
})
type SettlerWorld = Effect.Success<ReturnType<typeof settlerWorld>>

/** Pays into the protocol reserve. */
export const endow = (world: World, value: bigint) => send(world, { address: world.deployment.vault, abi: rewardVaultAbi, functionName: "endow", value })

/** L1's clock moves on. */
export const warp = (world: World, seconds: number) =>
  Effect.promise(async () => {
    await testClient(world).increaseTime({ seconds })
    await testClient(world).mine({ blocks: 1 })
  })

/** Whether L1 makes a block for every transaction at once. */
export const setAutomine = (world: World, on: boolean) => Effect.promise(() => testClient(world).setAutomine(on))

/** What L1 wants per gas from the next block on, beside what builders want. */
export const setBaseFee = (world: World, baseFeePerGas: bigint) =>
  Effect.promise(async () => {
    await testClient(world).setNextBlockBaseFeePerGas({ baseFeePerGas })
    await testClient(world).mine({ blocks: 1 })
  })

/** Registers the checkpoint of a block behind another one. */
export const registerCheckpoint = Effect.fnUntraced(function*(world: World, number: number, parent?: Checkpoint) {
  const checkpoint = ledger.checkpoint(number, parent)
  yield* register(world, checkpoint)
  return checkpoint
})

/** The rival settles the first two blocks, which it proved. */
export const rivalSettles = Effect.fnUntraced(function*(world: World, checkpoint: Checkpoint) {
  const { bytes, statement } = joined(proofBy(rival, 1), proofBy(rival, 2))
  const update = { statement, system: "groth16", mergers: [], checkpoints: [checkpoint], ancestry: [], proof: bytes } as const
  yield* send(world, { address: world.deployment.stateUpdate, abi: stateUpdateAbi, functionName: "submit", args: [encodeUpdate(update)] })
})

/** Starts a node; it runs until the scope closes. */
export const startNode = Effect.fnUntraced(function*(
  world: SettlerWorld,
  options: {
    readonly settling?: Partial<SettlerOptions>
    readonly auditing?: AuditorOptions
    readonly unprovable?: (block: number) => boolean
    /** In memory, if not given. */
    readonly database?: Layer.Layer<Database>
  } = {}
) {
  const { database = SqliteDatabase.layer.pipe(Layer.provide(layerSqlite(":memory:"))) } = options
  const node = yield* Layer.build(connectRoles.pipe(
    Layer.provideMerge(Layer.mergeAll(
      Layer.succeed(L1, world.l1),
      ledger.layer,
      MemoryTransport.layer,
      Layer.merge(SqlStore.layer, SqlJobs.layer).pipe(
        Layer.provideMerge(proofCheck),
        Layer.provideMerge(instantProofs),
        Layer.provide(database)
      ),
      Layer.succeed(SettlerOptions, {
        blocksPerUpdate: 2,
        maxBlocks: 4,
        patience: "5 minutes",
        parameters: world.parameters,
        maxFeePerGas: 500n * gwei,
        profitableOnly: true,
        replaceAfter: "30 seconds",
        confirmations: 1,
        ...options.settling
      }),
      Layer.succeed(FeeOptions, { rule: devnetPriceRule, blockGas: ProverGas.make(32_000n) }),
      Layer.succeed(L1PollInterval, "50 millis"),
      Layer.succeed(AuditorOptions, options.auditing ?? { claimAtLeast: 10n ** 18n, claimGasShare: 20n })
    )),
    Layer.provideMerge(Layer.effect(Unprovable, Ref.make(options.unprovable ?? (() => false)))),
    Layer.provideMerge(NodeServices.layer)
  ))
  const supervisor = yield* Effect.provideContext(startRoles(), node)
  return { node, supervisor }
})
type Node = Effect.Success<ReturnType<typeof startNode>>

export const allEvents = ({ deployment, l1 }: World): Effect.Effect<ReadonlyArray<L1Event>> =>
  Effect.orDie(Effect.flatMap(l1.latest, ({ number }) => l1.events(deployment.block, number)))

/** The first event of a kind, once there is one. */
export const eventOf = <Tag extends L1Event["_tag"]>(world: World, tag: Tag) =>
  eventually(Effect.flatMap(allEvents(world), (events) =>
    Effect.fromNullishOr(events.find((event): event is Extract<L1Event, { readonly _tag: Tag }> => event._tag === tag))))

const now = <A, E>(stream: Stream.Stream<A, E>) => Effect.flatMap(Stream.runHead(stream), Effect.fromOption)

export const statusOf = ({ node }: Node) => Effect.provideContext(Effect.flatMap(Settler, (settler) => now(settler.changes())), node)

/** Waits until the settler says so. */
export const says = (node: Node, what: "activity" | "redundancy", pattern: RegExp) =>
  eventually(Effect.flatMap(statusOf(node), (status) => pattern.test(status[what] ?? "") ? Effect.succeed(status[what]!) : Effect.fail(status[what])))

/** The auditor's report of the newest block that compared so many blocks; it must have found nothing. */
export const booksHold = Effect.fnUntraced(function*(world: World, { node }: Node, checkedBlocks: number) {
  const report = yield* eventually(Effect.gen(function*() {
    const found = yield* Effect.provideContext(Effect.flatMap(RewardAuditor, (auditor) => now(auditor.changes())), node)
    return found.l1Block === (yield* world.l1.latest).number && found.checkedBlocks === checkedBlocks ? found : yield* Effect.fail(found)
  }))
  assert.deepStrictEqual(report.alarms, [])
  return report
})
