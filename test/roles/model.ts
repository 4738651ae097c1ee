/**
 * Ports for tests of roles under a virtual clock: a ledger that makes a block every six seconds, proofs that take a set time, and
 * an L1 that includes what it is sent after a second.
 */
import { Clock, Context, Duration, Effect, Layer, Option, Ref, Schedule, Stream, SubscriptionRef } from "effect"
import { keccak256, stringToHex } from "viem"
import { fullBlocks } from "../../bench/Blocks.ts"
import { BlockNumber, ProverGas } from "../../src/domain/Amount.ts"
import { Checkpoint, checkpointDigest, genesisCheckpoint, QuorumCertificate } from "../../src/domain/Checkpoint.ts"
import type { BlockRef } from "../../src/domain/Block.ts"
import type { Fees } from "../../src/domain/GasPolicy.ts"
import { type Bytes32, CheckpointId, TransactionHash, toHex32 } from "../../src/domain/Hash.ts"
import { AncestryProof, concatStatements, Leaf, Proof, Statement } from "../../src/domain/Proof.ts"
import { certifyDigest, validatorKeyPairFrom, ValidatorSet } from "../../src/domain/QuorumCertificate.ts"
import { defaultShares, splitPot } from "../../src/domain/Rewards.ts"
import { CheckpointRegistered, Credited, Flagged, Funded, type L1Event, L1Position, Reserved, StateUpdated, ValidatorSetChanged } from "../../src/l1/Events.ts"
import { CallRefused, L1, type L1Block, NonceUsed, type SignedTransaction, Underpriced, type Update, UpdateRefused } from "../../src/l1/L1.ts"
import { LedgerSource, LedgerUnavailable } from "../../src/ledger/LedgerSource.ts"
import { devnetPriceRule } from "../../src/ledger/DevnetLedgerConfig.ts"
import { ProofSystem, ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import { FeeOptions } from "../../src/roles/FeeController.ts"
import { SettlerOptions } from "../../src/roles/Settler.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteStore from "../../src/store/SqliteStore.ts"
import { prover } from "../domain/builders.ts"

export const account = prover(1)
const registry = prover(0xc0)
const blockTime = Duration.seconds(6)
const checkpointInterval = 2
export const gwei = 10n ** 9n
/** What every update costs. */
const modelGas = 500_000n
/** The fee signal's epochs last two minutes here. */
const signalEpoch = 120_000
const epochNow = Effect.map(Clock.currentTimeMillis, (now) => BigInt(Math.floor(now / signalEpoch)))

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
  readonly events: Effect.Effect<ReadonlyArray<L1Event>>
}

export class Knobs extends Context.Service<Knobs, ModelKnobs>()("test/Knobs") {}

const chain = fullBlocks("model", 60)
const headers = [chain.genesis, ...chain.blocks.map(({ block }) => block.header)]
export const refOf = (number: number): BlockRef =>
  chain.blocks[number - 1]?.block.ref ?? genesisCheckpoint({ number: chain.genesis.number, hash: chain.genesis.hash } as BlockRef, chain.genesis.stateRoot).block

/** A proof of one block by a competitor. */
export const strangersProof = (number: number) => {
  const { hash, proverFees, proverGasUsed } = headers[number]!
  return new Proof({
    statement: new Statement({
      from: refOf(number - 1),
      leaves: [new Leaf({ blockHash: hash, prover: prover(9), proverFees, proverGas: proverGasUsed })]
    }),
    system: "groth16",
    bytes: "0x09"
  })
}

const ledger = Layer.effect(LedgerSource, Effect.gen(function*() {
  const { ledgerBreaks } = yield* Knobs
  const broken = (number: number) =>
    Effect.flatMap(Ref.getAndUpdate(ledgerBreaks, (left) => Math.max(0, left - 1)), (left) =>
      left > 0 ? Effect.fail(new LedgerUnavailable({ number: BlockNumber.make(number), reason: "the connection broke" })) : Effect.void)
  const height = yield* SubscriptionRef.make(0)
  yield* SubscriptionRef.update(height, (n) => n + 1).pipe(Effect.delay(blockTime), Effect.repeat(Schedule.recurs(chain.blocks.length - 1)), Effect.forkScoped)
  const genesis = { header: chain.genesis, transfers: [], number: chain.genesis.number, ref: refOf(0) } as never
  return LedgerSource.of({
    genesis: Effect.succeed(genesis),
    blocks: (from) => {
      let next: number = from
      return SubscriptionRef.changes(height).pipe(
        Stream.flatMap((now) => {
          const first = next
          next = Math.max(next, now + 1)
          return Stream.fromIterable(Array.from({ length: Math.max(0, now + 1 - first) }, (_, i) => first + i))
        }),
        Stream.tap(broken),
        Stream.map((number) => number === 0 ? genesis : chain.blocks[number - 1]!.block)
      )
    },
    witness: (number) => {
      const made = chain.blocks[number - 1]
      return made === undefined ? Effect.fail(new LedgerUnavailable({ number, reason: "not made yet" })) : Effect.succeed(made.witness)
    },
    checkpoints: () => Stream.never
  })
}))

const proofSystem = Layer.effect(ProofSystem, Effect.gen(function*() {
  const { begun, failure, interrupted, provingTime } = yield* Knobs
  const leafOf = (number: number) =>
    new Leaf({ blockHash: headers[number]!.hash, prover: account, proverFees: headers[number]!.proverFees, proverGas: headers[number]!.proverGasUsed })
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
      return new Proof({ statement: new Statement({ from: refOf(number - 1), leaves: [leafOf(number)] }), system: "groth16", bytes: "0x01" })
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

interface ModelChain {
  readonly events: ReadonlyArray<L1Event>
  readonly block: number
  /** How often blocks were taken back: part of every hash made since. */
  readonly fork: number
  readonly hashes: ReadonlyArray<Bytes32>
  readonly strangers: number
  /** The node's own transactions, by the block that has them. */
  readonly included: ReadonlyMap<TransactionHash, number>
}

const tipOf = ({ events }: ModelChain): number => events.reduce((tip, event) => event._tag === "StateUpdated" ? event.to.number : tip, 0)
const nonceOf = ({ included, strangers }: ModelChain): number => included.size + strangers

/** The chain with another block on it. */
const extend = (now: ModelChain): ModelChain => ({
  ...now,
  block: now.block + 1,
  hashes: [...now.hashes, keccak256(stringToHex(`${now.fork} ${now.block + 1}`)) as Bytes32]
})
const position = ({ block, hashes }: ModelChain, transaction = TransactionHash.make(toHex32(BigInt(block)))) =>
  new L1Position({ block, blockHash: hashes[block]!, transaction })

const makeL1 = Effect.gen(function*() {
  const keys = Array.from({ length: 4 }, (_, i) => validatorKeyPairFrom(`model/${i}`))
  const [firstKey, ...otherKeys] = keys.map(({ publicKey }) => publicKey)
  const validators = new ValidatorSet({ epoch: 0n, publicKeys: [firstKey!, ...otherKeys] })
  const genesis = genesisCheckpoint(refOf(0), chain.genesis.stateRoot)
  const noCertificate = new QuorumCertificate({ signature: "0x", signers: 0n })
  const funds = chain.blocks.reduce((sum, { block }) => sum + block.header.proverFees, 0n)
  const empty: ModelChain = { events: [], block: 0, fork: 0, hashes: [toHex32(0n) as Bytes32], strangers: 0, included: new Map() }
  const deployed = extend(empty)
  const state = yield* Ref.make<ModelChain>({
    ...deployed,
    events: [
      new ValidatorSetChanged({ at: position(deployed), validators }),
      new CheckpointRegistered({ at: position(deployed), checkpoint: genesis, certificate: noCertificate }),
      new Funded({ at: position(deployed), by: prover(0xf0), amount: funds as never })
    ]
  })

  // Consensus registers every second block a moment after it is made.
  yield* Effect.gen(function*() {
    let last: Checkpoint = genesis
    for (let number = checkpointInterval; number <= chain.blocks.length; number += checkpointInterval) {
      yield* Effect.sleep(Duration.times(blockTime, checkpointInterval))
      const header = headers[number]!
      last = new Checkpoint({ parent: last.id, number: header.number, blockHash: header.hash, stateRoot: header.stateRoot })
      const digest = checkpointDigest({ chainId: 1n, registry, epoch: 0n }, last.id)
      const certificate = certifyDigest(digest, new Map(keys.slice(0, 3).map(({ secretKey }, i) => [i, secretKey])))
      const checkpoint = last
      yield* Ref.update(state, (now) => {
        const next = extend(now)
        return { ...next, events: [...now.events, new CheckpointRegistered({ at: position(next), checkpoint, certificate })] }
      })
    }
  }).pipe(Effect.delay("500 millis"), Effect.forkScoped)

  const updateEvents = (now: ModelChain, statement: Statement, submitter: typeof account, transaction: TransactionHash): ReadonlyArray<L1Event> => {
    const at = position(now, transaction)
    const checkpoint = now.events.find((event) => event._tag === "CheckpointRegistered" && event.checkpoint.number >= statement.to.number)
    return [
      new StateUpdated({
        at,
        from: statement.from,
        to: statement.to,
        system: "groth16",
        submitter,
        continuedBy: checkpoint?._tag === "CheckpointRegistered" ? checkpoint.checkpoint.id : CheckpointId.make(toHex32(0n))
      }),
      ...statement.leaves.flatMap((leaf, i): ReadonlyArray<L1Event> => {
        const block = (statement.from.number + 1 + i) as never
        const parts = splitPot(leaf.proverFees, defaultShares, false)
        return [
          new Credited({ at, block, account: leaf.prover, kind: "leaf", amount: parts.leaf }),
          new Credited({ at, block, account: submitter, kind: "submission", amount: parts.submission }),
          new Reserved({ at, reserve: "redundancy", firstBlock: block, lastBlock: block, amount: parts.redundancy }),
          new Reserved({ at, reserve: "protocol", firstBlock: block, lastBlock: block, amount: parts.reserve })
        ]
      })
    ]
  }

  const flagEvents = (next: ModelChain, epoch: bigint, transaction: TransactionHash): ReadonlyArray<L1Event> =>
    next.events.some((event) => event._tag === "Flagged" && event.epoch === epoch)
      ? []
      : [new Flagged({ at: position(next, transaction), epoch, prover: account, weight: 1n, gathered: 1n, total: 10n })]

  const include = Effect.fnUntraced(function*(deed: Statement | "flag", submitter: typeof account, transaction: TransactionHash, nonce: number | undefined) {
    const epoch = yield* epochNow
    yield* Ref.update(state, (now) => {
      if (nonce !== undefined && nonceOf(now) !== nonce) return now
      const next = extend(now)
      const events = deed === "flag"
        ? flagEvents(next, epoch, transaction)
        : deed.from.number === tipOf(now)
        ? updateEvents(next, deed, submitter, transaction)
        : []
      return {
        ...next,
        included: nonce === undefined ? now.included : new Map(now.included).set(transaction, next.block),
        events: [...now.events, ...events]
      }
    })
  })

  const reorg = (depth: number) =>
    Ref.update(state, (now) => {
      const kept = now.block - depth
      const back: ModelChain = { ...now, block: kept, fork: now.fork + 1, hashes: now.hashes.slice(0, kept + 1) }
      const again = extend(back)
      const mine = (event: L1Event) => now.included.has(event.at.transaction)
      return Array.from({ length: depth - 1 }).reduce<ModelChain>(extend, {
        ...again,
        included: new Map([...now.included].filter(([, block]) => block <= kept)),
        events: now.events.flatMap((event) =>
          event.at.block <= kept ? [event] : mine(event) ? [] : [{ ...event, at: position(again, event.at.transaction) } as L1Event]
        )
      })
    })

  return { state, include, reorg }
})

interface Pooled {
  readonly nonce: number
  readonly fees: Fees
  readonly deed: Statement | "flag"
}

const l1AndKnobs = Layer.effectContext(Effect.gen(function*() {
  const { include, reorg, state } = yield* makeL1
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
    ledgerBreaks: yield* Ref.make(0),
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
      const leaves = headers.slice(tip + 1, to + 1).map((header) =>
        new Leaf({ blockHash: header.hash, prover: prover(9), proverFees: header.proverFees, proverGas: header.proverGasUsed }))
      const [first, ...rest] = leaves
      yield* include(
        new Statement({ from: refOf(tip), leaves: [first!, ...rest] }),
        prover(9),
        TransactionHash.make(keccak256(stringToHex(`foreign ${to}`))),
        undefined
      )
    }),
    events: Effect.map(Ref.get(state), ({ events }) => events)
  })

  const blockAt = ({ hashes }: ModelChain, number: number): L1Block => ({ number, hash: hashes[number]!, timestamp: 0n })
  const balances = Effect.map(Ref.get(state), ({ events }) => {
    const sum = (pick: (event: L1Event) => bigint) => events.reduce((total, event) => total + pick(event), 0n)
    const credited = sum((event) => event._tag === "Credited" ? event.amount : 0n)
    const redundancyReserve = sum((event) => event._tag === "Reserved" && event.reserve === "redundancy" ? event.amount : 0n)
    const protocolReserve = sum((event) => event._tag === "Reserved" && event.reserve === "protocol" ? event.amount : 0n)
    const balance = sum((event) => event._tag === "Funded" ? event.amount : 0n)
    return { unallocated: balance - credited - redundancyReserve - protocolReserve, redundancyReserve, protocolReserve, balance }
  })

  const dryRun = (from: number) =>
    Effect.flatMap(Ref.get(state), (now) =>
      from === tipOf(now) ? Effect.succeed(modelGas) : Effect.fail(new UpdateRefused({ error: "AlreadyProven()" })))

  const sign = (deed: Statement | "flag", nonce: number, fees: Fees): SignedTransaction => {
    const what = deed === "flag" ? deed : deed.to.hash
    const hash = TransactionHash.make(keccak256(stringToHex(`${nonce} ${what} ${fees.maxFeePerGas} ${fees.maxPriorityFeePerGas}`)))
    signed.set(hash, { nonce, fees, deed })
    return { nonce, raw: "0x02", hash }
  }

  const flagged = Effect.zipWith(Ref.get(state), epochNow, ({ events }, epoch) => events.some((event) => event._tag === "Flagged" && event.epoch === epoch))
  const dryRunFlag = Effect.flatMap(flagged, (already) => already ? Effect.fail(new CallRefused({ error: "FM3_AlreadyFlagged()" })) : Effect.succeed(60_000n))

  const l1 = L1.of({
    account,
    chainId: 1n,
    registry,
    feeSignal: prover(0xfe),
    deployedAt: 1,
    latest: Effect.map(Ref.get(state), (now) => blockAt(now, now.block)),
    block: (number) => Effect.map(Ref.get(state), (now) => number <= now.block ? Option.some(blockAt(now, number)) : Option.none()),
    events: (from, to) => Effect.map(Ref.get(state), ({ events }) => events.filter(({ at }) => at.block >= from && at.block <= to)),
    dryRun: (update: Update) => dryRun(update.statement.from.number),
    gasMarket: Effect.map(Ref.get(gasPrice), (price) => ({ baseFee: price - price / 2n, priorityFee: price / 2n })),
    nextNonce: Effect.map(Ref.get(state), nonceOf),
    sign: (update: Update, _gas, fees) => Effect.map(Ref.get(state), (now) => sign(update.statement, nonceOf(now), fees)),
    dryRunSigned: ({ hash }) => {
      const deed = signed.get(hash)?.deed
      return dryRun(deed === undefined || deed === "flag" ? -1 : deed.from.number)
    },
    dryRunCall: () => dryRunFlag,
    dryRunSignedCall: () => dryRunFlag,
    signCall: ({ kind }, _gas, fees) => Effect.map(Ref.get(state), (now) => sign(kind, nonceOf(now), fees)),
    feesOf: ({ hash }) => signed.get(hash)!.fees,
    resign: ({ hash, nonce }, _gas, fees) => Effect.sync(() => sign(signed.get(hash)!.deed, nonce, fees)),
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
    creditOf: (owner) =>
      Effect.map(Ref.get(state), ({ events }) =>
        events.reduce((total, event) => event._tag === "Credited" && event.account === owner ? total + event.amount : total, 0n) as never),
    vault: balances,
    // Nothing ever idles here so long that turns would begin, and no second prover is registered.
    turn: Effect.succeed({ inFallback: false, index: 0, holder: Option.none(), endsAt: Option.none() }),
    redundancyClaim: () => Effect.succeed(0n),
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
  shares: defaultShares,
  maxFeePerGas: 10n * gwei,
  profitableOnly: true,
  replaceAfter: "30 seconds",
  confirmations: 1
} satisfies SettlerOptions

/** Everything that a node stands on, in memory. */
export const modelPorts = Layer.mergeAll(
  Layer.provideMerge(Layer.merge(ledger, proofSystem), l1AndKnobs),
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
