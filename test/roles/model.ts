/**
 * Ports for tests of roles under a virtual clock: the model ledger, proofs that take a set time, and an L1 that includes what it is
 * sent after a second.
 */
import { Context, Duration, Effect, Layer, Option, Ref, SubscriptionRef } from "effect"
import { keccak256, stringToHex } from "viem"
import { ProverGas, Wei } from "../../src/domain/Amount.ts"
import { BlockRef } from "../../src/domain/Block.ts"
import type { BlockWitness } from "../../src/domain/BlockWitness.ts"
import type { Fees } from "../../src/domain/GasPolicy.ts"
import { TransactionHash } from "../../src/domain/Hash.ts"
import { AncestryProof, concatStatements, Leaf, Proof, Statement } from "../../src/domain/Proof.ts"
import { defaultParameters } from "../../src/domain/ProtocolParameters.ts"
import type { L1Event } from "../../src/l1/Events.ts"
import { type Call, CallRefused, L1, type L1Block, NonceUsed, type SignedTransaction, Underpriced } from "../../src/l1/L1.ts"
import { devnetPriceRule } from "../../src/ledger/DevnetLedgerConfig.ts"
import { ProofSystem, ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import { FeeOptions } from "../../src/roles/FeeController.ts"
import { SettlerOptions } from "../../src/roles/Settler.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteStore from "../../src/store/SqliteStore.ts"
import { prover } from "../domain/builders.ts"
import { account, checkpointInterval, creditIn, type Deed, epochNow, extend, makeL1, type ModelChain, nonceOf, registry, tipOf } from "./modelChain.ts"
import { firstLedger, headerOf, ModelLedger, type ModelLedgerState, refIn } from "./modelLedger.ts"

export { account } from "./modelChain.ts"
export const gwei = 10n ** 9n
/** What every update costs. */
const modelGas = 500_000n

/** What a test can see and turn. */
export interface ModelKnobs {
  /** How long a block proof takes. */
  readonly provingTime: Ref.Ref<Duration.Duration>
  /** Block proofs that were begun, by block number. */
  readonly begun: Ref.Ref<ReadonlyArray<number>>
  /** Block proofs that were interrupted, by block number. */
  readonly interrupted: Ref.Ref<ReadonlyArray<number>>
  /** How proving a block ends instead of with a proof. */
  readonly failure: Ref.Ref<(block: number) => ProvingFailed | undefined>
  /** Whether the ledger breaks off its streams of blocks at their next block, once for each that runs. */
  readonly ledgerBreaks: Ref.Ref<number>
  /** Whether L1 loses the transactions that it is sent. */
  readonly holdBack: Ref.Ref<boolean>
  /** Whether L1 takes for ever to take a transaction that it does not know, and never gets it. */
  readonly deaf: Ref.Ref<boolean>
  /** What L1 wants per gas; half of it is the builders'. */
  readonly gasPrice: Ref.Ref<bigint>
  /** What the fee signal knows of this node. */
  readonly standing: Ref.Ref<{ readonly reputation: bigint; readonly updates: bigint }>
  /** Every transaction that L1 was sent, as often as it was sent. */
  readonly sent: Ref.Ref<ReadonlyArray<TransactionHash>>
  /** Takes so many blocks back. What others did comes again in the new ones; this node's updates do not, and no pool has them. */
  readonly reorg: (depth: number) => Effect.Effect<void>
  /** Another program uses the account's next nonce. */
  readonly useNonce: Effect.Effect<void>
  /** Makes an empty block. */
  readonly mine: Effect.Effect<void>
  /** Somebody else's update to a block, included at once. */
  readonly settleForeign: (to: number) => Effect.Effect<void>
  /** Somebody reverts the checkpoints beyond the tip (CP-4), and the ledger replaces every block above it at once. */
  readonly revert: Effect.Effect<void>
  /** The ledger's blocks as they are now. */
  readonly ledger: Effect.Effect<ModelLedgerState>
  readonly events: Effect.Effect<ReadonlyArray<L1Event>>
}

export class Knobs extends Context.Service<Knobs, ModelKnobs>()("test/Knobs") {}

/** A block of the first chain. */
export const refOf = (number: number): BlockRef => refIn(firstLedger, number)

/** A proof of one block by a competitor. */
export const strangersProof = (number: number, ledger = firstLedger) => {
  const { hash, proverFees, proverGasUsed } = headerOf(ledger, number)
  return new Proof({
    statement: new Statement({
      from: refIn(ledger, number - 1),
      leaves: [new Leaf({ blockHash: hash, prover: prover(9), proverFees, proverGas: proverGasUsed })]
    }),
    system: "groth16",
    bytes: "0x09"
  })
}

const proofSystem = Layer.effect(ProofSystem, Effect.gen(function*() {
  const { begun, failure, interrupted, provingTime } = yield* Knobs
  const statementOf = ({ block: { header }, parent }: BlockWitness) =>
    new Statement({
      from: new BlockRef({ number: parent.number, hash: parent.hash }),
      leaves: [new Leaf({ blockHash: header.hash, prover: account, proverFees: header.proverFees, proverGas: header.proverGasUsed })]
    })
  return ProofSystem.of({
    id: "groth16",
    capacity: 2,
    mergeWork: false,
    maxLeaves: 16,
    proveBlock: Effect.fnUntraced(function*(witness) {
      const number = witness.block.number
      yield* Ref.update(begun, (all) => [...all, number])
      yield* Effect.sleep(yield* Ref.get(provingTime)).pipe(Effect.onInterrupt(() => Ref.update(interrupted, (all) => [...all, number])))
      const failed = (yield* Ref.get(failure))(number)
      if (failed !== undefined) return yield* failed
      return new Proof({ statement: statementOf(witness), system: "groth16", bytes: "0x01" })
    }),
    proveAncestry: (chainOfHeaders) =>
      Effect.succeed(new AncestryProof({
        system: "groth16",
        end: chainOfHeaders[0]!.hash,
        via: [],
        checkpointBlock: chainOfHeaders[chainOfHeaders.length - 1]!.hash,
        bytes: "0x02"
      })),
    merge: (left, right) =>
      Effect.map(Effect.orDie(Effect.fromOption(concatStatements(left.statement, right.statement))), (statement) =>
        new Proof({ statement, system: "groth16", bytes: `${left.bytes}${right.bytes.slice(2)}` as never })),
    verify: () => Effect.void,
    verifyAncestry: () => Effect.void,
    encodeForL1: (proof) => proof.bytes
  })
}))

interface Pooled {
  readonly nonce: number
  readonly fees: Fees
  readonly deed: Deed
}

const l1AndKnobs = Layer.effectContext(Effect.gen(function*() {
  const { accepts, include, ledger, reorg, revert, state } = yield* makeL1
  const holdBack = yield* Ref.make(false)
  const deaf = yield* Ref.make(false)
  const gasPrice = yield* Ref.make(gwei)
  const sent = yield* Ref.make<ReadonlyArray<TransactionHash>>([])
  const signed = new Map<TransactionHash, Pooled>()
  /** What waits to be included, by nonce. */
  const pool = new Map<number, TransactionHash>()

  // A second after it was sent, and then every second until it pays enough.
  const tryToInclude = Effect.fnUntraced(function*(hash: TransactionHash) {
    const { deed, fees, nonce } = signed.get(hash)!
    while (pool.get(nonce) === hash) {
      yield* Effect.sleep("1 second")
      if (pool.get(nonce) !== hash || fees.maxFeePerGas < (yield* Ref.get(gasPrice)) || nonceOf(yield* Ref.get(state)) > nonce) continue
      pool.delete(nonce)
      yield* include(deed, account, hash, nonce)
    }
  })

  const knobs = Knobs.of({
    provingTime: yield* Ref.make(Duration.seconds(4)),
    begun: yield* Ref.make<ReadonlyArray<number>>([]),
    interrupted: yield* Ref.make<ReadonlyArray<number>>([]),
    failure: yield* Ref.make<(block: number) => ProvingFailed | undefined>(() => undefined),
    ledgerBreaks: ledger.breaks,
    holdBack,
    deaf,
    gasPrice,
    standing: yield* Ref.make({ reputation: 0n, updates: 0n }),
    sent,
    reorg,
    useNonce: Effect.andThen(Effect.sync(() => pool.clear()), Ref.update(state, (now) => ({ ...extend(now), strangers: now.strangers + 1 }))),
    mine: Ref.update(state, extend),
    settleForeign: Effect.fnUntraced(function*(to) {
      const tip = tipOf(yield* Ref.get(state))
      const blocks = yield* SubscriptionRef.get(ledger.state)
      const leaves = blocks.blocks.slice(tip, to).map(({ block: { header } }) =>
        new Leaf({ blockHash: header.hash, prover: prover(9), proverFees: header.proverFees, proverGas: header.proverGasUsed }))
      const [first, ...rest] = leaves
      yield* include(
        new Statement({ from: refIn(blocks, tip), leaves: [first!, ...rest] }),
        prover(9),
        TransactionHash.make(keccak256(stringToHex(`foreign ${to}`))),
        undefined
      )
    }),
    revert,
    ledger: SubscriptionRef.get(ledger.state),
    events: Effect.map(Ref.get(state), ({ events }) => events)
  })

  const blockAt = ({ hashes }: ModelChain, number: number): L1Block => ({ number, hash: hashes[number]!, timestamp: 0n })
  const balances = Effect.map(Ref.get(state), ({ events }) => {
    const sum = (pick: (event: L1Event) => bigint) => events.reduce((total, event) => total + pick(event), 0n)
    const credited = sum((event) => event._tag === "Credited" ? event.amount : 0n)
    const redundancyReserve = sum((event) => event._tag === "Reserved" && event.reserve === "redundancy" ? event.amount : 0n)
    const protocolReserve = sum((event) => event._tag === "Reserved" && event.reserve === "protocol" ? event.amount : 0n)
    const funded = sum((event) => event._tag === "Funded" ? event.amount : 0n)
    const balance = funded - sum((event) => event._tag === "Claimed" ? event.amount : 0n)
    return { unallocated: funded - credited - redundancyReserve - protocolReserve, redundancyReserve, protocolReserve, balance }
  })

  const deedOf = (call: Call): Deed => call.kind === "update" ? call.update.statement : call.kind

  const refuse = (error: string) => Effect.fail(new CallRefused({ error }))

  const dryRun = Effect.fnUntraced(function*(deed: Deed | undefined) {
    const now = yield* Ref.get(state)
    if (deed === "flag") return yield* dryRunFlag
    if (deed === "claim") return creditIn(now, account) > 0n ? 50_000n : yield* refuse("RW5_NothingToClaim()")
    if (deed === undefined || typeof deed === "string") return yield* refuse("the model has nothing like it")
    return accepts(now, yield* SubscriptionRef.get(ledger.state), deed) ? modelGas : yield* refuse("AlreadyProven()")
  })

  const sign = (deed: Deed, nonce: number, fees: Fees): SignedTransaction => {
    const what = typeof deed === "string" ? deed : deed.to.hash
    const hash = TransactionHash.make(keccak256(stringToHex(`${nonce} ${what} ${fees.maxFeePerGas} ${fees.maxPriorityFeePerGas}`)))
    signed.set(hash, { nonce, fees, deed })
    return { nonce, raw: "0x02", hash }
  }

  const flagged = Effect.zipWith(Ref.get(state), epochNow, ({ events }, epoch) => events.some((event) => event._tag === "Flagged" && event.epoch === epoch))
  const dryRunFlag = Effect.flatMap(flagged, (already) => already ? refuse("FM3_AlreadyFlagged()") : Effect.succeed(60_000n))

  const l1 = L1.of({
    account,
    chainId: 1n,
    registry,
    feeSignal: prover(0xfe),
    deployedAt: 1,
    latest: Effect.map(Ref.get(state), (now) => blockAt(now, now.block)),
    block: (number) => Effect.map(Ref.get(state), (now) => number <= now.block ? Option.some(blockAt(now, number)) : Option.none()),
    events: (from, to) => Effect.map(Ref.get(state), ({ events }) => events.filter(({ at }) => at.block >= from && at.block <= to)),
    dryRun: (call) => dryRun(deedOf(call)),
    gasMarket: Effect.map(Ref.get(gasPrice), (price) => ({ baseFee: price - price / 2n, priorityFee: price / 2n })),
    nextNonce: Effect.map(Ref.get(state), nonceOf),
    sign: (call, _gas, fees) => Effect.map(Ref.get(state), (now) => sign(deedOf(call), nonceOf(now), fees)),
    dryRunSigned: ({ hash }) => dryRun(signed.get(hash)?.deed),
    feesOf: ({ hash }) => signed.get(hash)!.fees,
    resign: ({ hash, nonce }, _gas, fees) => Effect.sync(() => sign(signed.get(hash)!.deed, nonce, fees)),
    cancel: ({ nonce }, fees) => Effect.sync(() => sign("nothing", nonce, fees)),
    knows: (hash) => Effect.map(Ref.get(state), ({ included }) => included.has(hash) || [...pool.values()].includes(hash)),
    send: Effect.fnUntraced(function*({ hash, nonce }: SignedTransaction) {
      const now = yield* Ref.get(state)
      const known = now.included.has(hash) || pool.get(nonce) === hash
      if (!known && (yield* Ref.get(deaf))) return yield* Effect.never
      yield* Ref.update(sent, (all) => [...all, hash])
      if (known) return
      if (nonce < nonceOf(now)) return yield* new NonceUsed({ nonce })
      if (yield* Ref.get(holdBack)) return
      const rival = pool.get(nonce)
      if (rival !== undefined && signed.get(hash)!.fees.maxFeePerGas * 10n < signed.get(rival)!.fees.maxFeePerGas * 11n) {
        return yield* new Underpriced({ reason: "replacement transaction underpriced" })
      }
      pool.set(nonce, hash)
      yield* Effect.forkDetach(tryToInclude(hash))
    }),
    receipt: (hash) =>
      Effect.map(Ref.get(state), ({ included }) => {
        const block = included.get(hash)
        return block === undefined ? Option.none() : Option.some({ block, succeeded: true, gasUsed: modelGas })
      }),
    creditOf: (owner) => Effect.map(Ref.get(state), (now) => Wei.make(creditIn(now, owner))),
    vault: balances,
    // Nothing ever idles here so long that turns would begin, and no second prover is registered.
    turn: Effect.succeed({ inFallback: false, index: 0, holder: Option.none(), endsAt: Option.none() }),
    redundancyClaim: () => Effect.succeed(0n),
    registeredAt: () => Effect.succeed(0n),
    reputationOf: () => Effect.succeed({ reputation: 0n, updates: 0n }),
    totalReputation: Effect.succeed(0n),
    signal: Effect.gen(function*() {
      return { epoch: yield* epochNow, multiplier: 1_000_000n, flagged: yield* flagged, minUpdates: 3n, ...yield* Ref.get(knobs.standing) }
    })
  })
  return Context.make(L1, l1).pipe(Context.add(Knobs, knobs))
}))

export const modelSettling = {
  blocksPerUpdate: 3,
  maxBlocks: 16,
  patience: "5 minutes",
  parameters: defaultParameters,
  maxFeePerGas: 10n * gwei,
  profitableOnly: true,
  replaceAfter: "30 seconds",
  confirmations: 1
} satisfies SettlerOptions

/** Everything that a node stands on, in memory. */
export const modelPorts = Layer.mergeAll(
  proofSystem.pipe(Layer.provideMerge(l1AndKnobs), Layer.provideMerge(ModelLedger.layer)),
  SqliteStore.layer.pipe(Layer.provide(layerSqlite(":memory:"))),
  Layer.succeed(SettlerOptions, modelSettling),
  Layer.succeed(FeeOptions, {
    rule: devnetPriceRule,
    blockGas: ProverGas.make(32_000n),
    settlement: {
      gas: { update: 300_000n, block: 60_000n, checkpoint: 200_000n, blocksPerUpdate: 3, blocksPerCheckpoint: checkpointInterval },
      l1GasPrice: Effect.succeed(Option.some(7n))
    }
  })
)
