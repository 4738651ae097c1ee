/**
 * What a devnet achieved, read back from L1 and the store, and whether its invariants hold.
 */
import { Context, Effect, Option, Schema, Stream } from "effect"
import { BaseError, createPublicClient, http } from "viem"
import { Address, BlockHash, CheckpointId, TransactionHash } from "../domain/Hash.ts"
import { BlockNumber } from "../domain/Amount.ts"
import { ProofSystemId } from "../domain/Proof.ts"
import { updateProvers } from "../l1/Calls.ts"
import type { CheckpointRegistered, L1Event, StateUpdated } from "../l1/Events.ts"
import { L1, L1Unavailable } from "../l1/L1.ts"
import { CheckpointWatcher } from "../roles/CheckpointWatcher.ts"
import { RewardAuditor } from "../roles/RewardAuditor.ts"
import { NodeService } from "../node/NodeService.ts"
import type { RunningDevnet } from "./Devnet.ts"

const WeiSum = Schema.BigIntFromString

/** One state update as L1 has it. */
export const SettledUpdate = Schema.Struct({
  /** Number of the block that the update starts behind. */
  from: BlockNumber,
  /** Number of its END. */
  to: BlockNumber,
  fromHash: BlockHash,
  toHash: BlockHash,
  blocks: Schema.Int,
  system: ProofSystemId,
  /** Gas of the whole transaction. */
  gasUsed: Schema.Int,
  txHash: TransactionHash,
  /** Number of the checkpoint that continues END (ST-2). */
  continuedBy: BlockNumber,
  checkpointId: CheckpointId,
  /** Whether END is that checkpoint's own block; else the update carried an ancestry proof. */
  endIsCheckpoint: Schema.Boolean,
  /** Who brought it to L1. */
  submitter: Address,
  /** Whose leaf each of its blocks was paid for, oldest first. */
  provers: Schema.Array(Address)
})
export type SettledUpdate = typeof SettledUpdate.Type

/** What must hold over every history. */
export const Invariants = Schema.Struct({
  /** Credits, reserves and what is unallocated are what was paid in, on L1 and by its events, as every operator finds (RW-5, RW-7). */
  moneyIsConserved: Schema.Boolean,
  /** Every update starts where the one before ended. */
  updatesFormOneChain: Schema.Boolean,
  /** No block was settled twice. */
  noDoubleUpdate: Schema.Boolean,
  /** No operator did a job twice, whatever was killed meanwhile. */
  noDoubleProof: Schema.Boolean,
  /** Every operator believes every certificate that the registry took (CP-2). */
  certificatesHold: Schema.Boolean
})
export type Invariants = typeof Invariants.Type

/** One thing that a scenario waited for, and what was found on L1 or in a node. */
export const SeenStep = Schema.Struct({
  step: Schema.String,
  /** Transaction hashes, amounts in wei, block numbers, by what they are. */
  evidence: Schema.Record(Schema.String, Schema.String)
})
export type SeenStep = typeof SeenStep.Type

/** How a scenario ended. */
export const ScenarioReport = Schema.Struct({
  name: Schema.String,
  /** What was seen, in order. */
  seen: Schema.Array(SeenStep),
  /** The first thing that was not seen in time, and why; `null` when all were. */
  missing: Schema.NullOr(Schema.String)
})
export type ScenarioReport = typeof ScenarioReport.Type

export class DevnetReport extends Schema.Class<DevnetReport>("lignum/DevnetReport")({
  updates: Schema.Array(SettledUpdate),
  /** Checkpoints on L1 after genesis that no revert removed. */
  checkpoints: Schema.Int,
  /** Times that checkpoints were reverted because they were not proven in time (CP-4). */
  reverts: Schema.Int,
  /** Blocks that the operators have proven, settled or not; one that two of them proved counts twice. */
  blocksProven: Schema.Int,
  /** Proofs that L1 verified for updates: one per settled block, and those of ancestry. */
  proofsVerified: Schema.Int,
  operators: Schema.Array(Schema.Struct({
    name: Schema.String,
    account: Address,
    blocksProven: Schema.Int,
    /** Blocks that L1 paid it for as their leaf prover. */
    leaves: Schema.Int,
    /** Updates that it brought to L1. */
    updates: Schema.Int,
    /** What the vault credited to it, and what of that it has drawn, in wei. */
    credited: WeiSum,
    claimed: WeiSum
  })),
  /** What the vault credited to whom, in wei. */
  credits: Schema.Array(Schema.Struct({
    account: Address,
    /** Whose account it is; `null` if it is no operator's. */
    operator: Schema.NullOr(Schema.String),
    credited: WeiSum,
    claimed: WeiSum
  })),
  invariants: Invariants,
  /** Only of a run with a scenario. */
  scenario: Schema.optionalKey(ScenarioReport)
}) {}

/** Whether every invariant holds. */
export const isSound = ({ invariants }: DevnetReport): boolean => Object.values(invariants).every((holds) => holds)

/** What L1 was called with in a transaction. */
const inputOf = (url: string, hash: TransactionHash) =>
  Effect.tryPromise({
    try: async () => (await createPublicClient({ transport: http(url) }).getTransaction({ hash })).input,
    catch: (error) => new L1Unavailable({ operation: "eth_getTransactionByHash", reason: error instanceof BaseError ? error.shortMessage : String(error) })
  })

/** An update's line for the report; its gas is read from its receipt, and its leaves from its call. */
export const describeUpdate = Effect.fnUntraced(function*(url: string, update: StateUpdated, checkpoint: CheckpointRegistered["checkpoint"]) {
  const l1 = yield* L1
  const { transaction } = update.at
  const receipt = yield* Effect.flatMap(l1.receipt(transaction), (found) =>
    Option.isSome(found)
      ? Effect.succeed(found.value)
      : Effect.fail(new L1Unavailable({ operation: "eth_getTransactionReceipt", reason: `no receipt of ${transaction}` })))
  const blocks = update.to.number - update.from.number
  return {
    from: update.from.number,
    to: update.to.number,
    fromHash: update.from.hash,
    toHash: update.to.hash,
    blocks,
    system: update.system,
    gasUsed: Number(receipt.gasUsed),
    txHash: transaction,
    continuedBy: checkpoint.number,
    checkpointId: update.continuedBy,
    endIsCheckpoint: checkpoint.blockHash === update.to.hash,
    submitter: update.submitter,
    // What was proven before is in the call, too, and is not paid (ST-1).
    provers: updateProvers(yield* inputOf(url, transaction))?.slice(-blocks) ?? []
  } satisfies SettledUpdate
})

/** The registry's chain: checkpoints that no revert has removed (CP-4), genesis first. */
export const liveCheckpoints = (events: ReadonlyArray<L1Event>): ReadonlyArray<CheckpointRegistered["checkpoint"]> =>
  events.reduce<ReadonlyArray<CheckpointRegistered["checkpoint"]>>((live, event) => {
    if (event._tag === "CheckpointsReverted") return live.filter(({ number }) => number <= event.headNumber)
    return event._tag === "CheckpointRegistered" ? [...live, event.checkpoint] : live
  }, [])

/** What one operator's node says of the chain up to an L1 block, and of itself. */
const askOperator = Effect.fnUntraced(function*({ account, name, node }: RunningDevnet["operators"][number], l1Block: number) {
  const audit = yield* Context.get(node, RewardAuditor).changes().pipe(
    Stream.filter((report) => report.l1Block >= l1Block),
    Stream.runHead,
    Effect.flatMap(Effect.fromOption),
    Effect.orDie
  )
  const seen = yield* Stream.runHead(Context.get(node, CheckpointWatcher).changes()).pipe(Effect.flatMap(Effect.fromOption), Effect.orDie)
  const { blocksProven, provedTwice } = yield* Context.get(node, NodeService).record()
  return { name, account, audit, seen, blocksProven, provedTwice }
})

/** The report as of now. */
export const makeReport = ({ operators, rollup, url }: RunningDevnet, scenario?: ScenarioReport) =>
  Effect.gen(function*() {
    const l1 = yield* L1
    const latest = yield* l1.latest
    const events = yield* l1.events(l1.deployedAt, latest.number)
    const checkpoints = new Map(
      events.flatMap((event) => (event._tag === "CheckpointRegistered" ? [[event.checkpoint.id, event.checkpoint] as const] : []))
    )
    const updated = events.filter((event) => event._tag === "StateUpdated")
    const updates = yield* Effect.forEach(updated, (event) => describeUpdate(url, event, checkpoints.get(event.continuedBy)!))
    const answers = yield* Effect.forEach(operators, (operator) => askOperator(operator, latest.number), { concurrency: "unbounded" })
    const { accounts } = answers[0]!.audit
    return new DevnetReport({
      updates,
      checkpoints: liveCheckpoints(events).length - 1,
      reverts: events.filter((event) => event._tag === "CheckpointsReverted").length,
      blocksProven: answers.reduce((sum, { blocksProven }) => sum + blocksProven, 0),
      proofsVerified: updates.reduce((sum, { blocks, endIsCheckpoint }) => sum + blocks + (endIsCheckpoint ? 0 : 1), 0),
      operators: answers.map(({ account, blocksProven, name }) => {
        const { claimed, credited } = accounts.find((one) => one.account === account) ?? { claimed: 0n, credited: 0n }
        return {
          name,
          account,
          blocksProven,
          leaves: updates.flatMap(({ provers }) => provers).filter((prover) => prover === account).length,
          updates: updates.filter(({ submitter }) => submitter === account).length,
          credited,
          claimed
        }
      }),
      credits: accounts.map(({ account, claimed, credited }) => ({
        account,
        operator: answers.find((answer) => answer.account === account)?.name ?? null,
        credited,
        claimed
      })),
      invariants: {
        moneyIsConserved: answers.every(({ audit }) => audit.alarms.length === 0),
        updatesFormOneChain: updates.every(({ fromHash }, i) => i === 0 || updates[i - 1]!.toHash === fromHash),
        noDoubleUpdate: new Set(updates.map(({ fromHash }) => fromHash)).size === updates.length,
        noDoubleProof: answers.every(({ provedTwice }) => !provedTwice),
        certificatesHold: answers.every(({ seen }) => seen.disbelieved === 0)
      },
      ...(scenario === undefined ? {} : { scenario })
    })
  }).pipe(Effect.provideContext(rollup))
