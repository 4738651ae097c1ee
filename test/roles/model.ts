/**
 * Ports for tests of roles under a virtual clock: a ledger that makes a block every six seconds, proofs that take a set time, and
 * an L1 that includes what it is sent after a second.
 */
import { Context, Duration, Effect, Layer, Option, Ref, Schedule, Stream, SubscriptionRef } from "effect"
import { keccak256, stringToHex } from "viem"
import { fullBlocks } from "../../bench/Blocks.ts"
import { BlockNumber, ProverGas } from "../../src/domain/Amount.ts"
import { Checkpoint, checkpointDigest, genesisCheckpoint, QuorumCertificate } from "../../src/domain/Checkpoint.ts"
import type { BlockRef } from "../../src/domain/Block.ts"
import { type Bytes32, CheckpointId, TransactionHash, toHex32 } from "../../src/domain/Hash.ts"
import { AncestryProof, concatStatements, Leaf, Proof, Statement } from "../../src/domain/Proof.ts"
import { certifyDigest, validatorKeyPairFrom, ValidatorSet } from "../../src/domain/QuorumCertificate.ts"
import { defaultShares, splitPot } from "../../src/domain/Rewards.ts"
import { CheckpointRegistered, Credited, Funded, type L1Event, L1Position, Reserved, StateUpdated, ValidatorSetChanged } from "../../src/l1/Events.ts"
import { L1, type L1Block, NonceUsed, type SignedTransaction, type Update, UpdateRefused } from "../../src/l1/L1.ts"
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
  /** Whether L1 keeps transactions that it is sent to itself. */
  readonly holdBack: Ref.Ref<boolean>
  /** Every transaction that L1 was sent, as often as it was sent. */
  readonly sent: Ref.Ref<ReadonlyArray<TransactionHash>>
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
  readonly tip: number
  readonly nonce: number
  readonly included: ReadonlySet<TransactionHash>
}

const makeL1 = Effect.gen(function*() {
  const keys = Array.from({ length: 4 }, (_, i) => validatorKeyPairFrom(`model/${i}`))
  const [firstKey, ...otherKeys] = keys.map(({ publicKey }) => publicKey)
  const validators = new ValidatorSet({ epoch: 0n, publicKeys: [firstKey!, ...otherKeys] })
  const position = (block: number, transaction = TransactionHash.make(toHex32(BigInt(block)))) =>
    new L1Position({ block, blockHash: toHex32(BigInt(block)), transaction })
  const genesis = genesisCheckpoint(refOf(0), chain.genesis.stateRoot)
  const noCertificate = new QuorumCertificate({ signature: "0x", signers: 0n })
  const funds = chain.blocks.reduce((sum, { block }) => sum + block.header.proverFees, 0n)
  const state = yield* Ref.make<ModelChain>({
    events: [
      new ValidatorSetChanged({ at: position(1), validators }),
      new CheckpointRegistered({ at: position(1), checkpoint: genesis, certificate: noCertificate }),
      new Funded({ at: position(1), by: prover(0xf0), amount: funds as never })
    ],
    block: 1,
    tip: 0,
    nonce: 0,
    included: new Set()
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
      yield* Ref.update(state, (now) => ({
        ...now,
        block: now.block + 1,
        events: [...now.events, new CheckpointRegistered({ at: position(now.block + 1), checkpoint, certificate })]
      }))
    }
  }).pipe(Effect.delay("500 millis"), Effect.forkScoped)

  const updateEvents = (now: ModelChain, statement: Statement, submitter: typeof account, transaction: TransactionHash): ReadonlyArray<L1Event> => {
    const at = position(now.block + 1, transaction)
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

  const include = (statement: Statement, submitter: typeof account, transaction: TransactionHash, nonce: number | undefined) =>
    Ref.update(state, (now) =>
      nonce !== undefined && now.nonce !== nonce ? now : {
        ...now,
        block: now.block + 1,
        nonce: nonce === undefined ? now.nonce : nonce + 1,
        included: new Set(now.included).add(transaction),
        tip: Math.max(now.tip, statement.to.number),
        events: statement.from.number === now.tip ? [...now.events, ...updateEvents(now, statement, submitter, transaction)] : now.events
      })

  return { state, include }
})

const l1AndKnobs = Layer.effectContext(Effect.gen(function*() {
  const { include, state } = yield* makeL1
  const holdBack = yield* Ref.make(false)
  const sent = yield* Ref.make<ReadonlyArray<TransactionHash>>([])
  const statements = new Map<TransactionHash, Statement>()

  const knobs = Knobs.of({
    provingTime: yield* Ref.make(Duration.seconds(4)),
    begun: yield* Ref.make<ReadonlyArray<number>>([]),
    interrupted: yield* Ref.make<ReadonlyArray<number>>([]),
    failure: yield* Ref.make<(block: number) => ProvingFailed | undefined>(() => undefined),
    ledgerBreaks: yield* Ref.make(0),
    holdBack,
    sent,
    settleForeign: Effect.fnUntraced(function*(to) {
      const { tip } = yield* Ref.get(state)
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

  const blockAt = (number: number): L1Block => ({ number, hash: toHex32(BigInt(number)) as Bytes32, timestamp: 0n })
  const balances = Effect.map(Ref.get(state), ({ events }) => {
    const sum = (pick: (event: L1Event) => bigint) => events.reduce((total, event) => total + pick(event), 0n)
    const credited = sum((event) => event._tag === "Credited" ? event.amount : 0n)
    const redundancyReserve = sum((event) => event._tag === "Reserved" && event.reserve === "redundancy" ? event.amount : 0n)
    const protocolReserve = sum((event) => event._tag === "Reserved" && event.reserve === "protocol" ? event.amount : 0n)
    const balance = sum((event) => event._tag === "Funded" ? event.amount : 0n)
    return { unallocated: balance - credited - redundancyReserve - protocolReserve, redundancyReserve, protocolReserve, balance }
  })

  const l1 = L1.of({
    account,
    chainId: 1n,
    registry,
    deployedAt: 1,
    latest: Effect.map(Ref.get(state), ({ block }) => blockAt(block)),
    block: (number) => Effect.map(Ref.get(state), ({ block }) => number <= block ? Option.some(blockAt(number)) : Option.none()),
    events: (from, to) => Effect.map(Ref.get(state), ({ events }) => events.filter(({ at }) => at.block >= from && at.block <= to)),
    dryRun: (update: Update) =>
      Effect.flatMap(Ref.get(state), ({ tip }) =>
        update.statement.from.number === tip ? Effect.succeed(500_000n) : Effect.fail(new UpdateRefused({ error: "AlreadyProven()" }))),
    sign: Effect.fnUntraced(function*(update: Update) {
      const { nonce } = yield* Ref.get(state)
      const hash = TransactionHash.make(keccak256(stringToHex(`${nonce} ${update.statement.to.hash}`)))
      statements.set(hash, update.statement)
      return { nonce, raw: "0x02" as const, hash }
    }),
    send: Effect.fnUntraced(function*(transaction: SignedTransaction) {
      yield* Ref.update(sent, (all) => [...all, transaction.hash])
      const { included, nonce } = yield* Ref.get(state)
      if (included.has(transaction.hash)) return
      if (transaction.nonce < nonce) return yield* new NonceUsed({ nonce: transaction.nonce })
      if (yield* Ref.get(holdBack)) return
      yield* include(statements.get(transaction.hash)!, account, transaction.hash, transaction.nonce).pipe(Effect.delay("1 second"), Effect.forkDetach)
    }),
    receipt: (hash) =>
      Effect.map(Ref.get(state), ({ block, included }) =>
        included.has(hash) ? Option.some({ block, succeeded: true, gasUsed: 500_000n }) : Option.none()),
    creditOf: (owner) =>
      Effect.map(Ref.get(state), ({ events }) =>
        events.reduce((total, event) => event._tag === "Credited" && event.account === owner ? total + event.amount : total, 0n) as never),
    vault: balances
  })
  return Context.make(L1, l1).pipe(Context.add(Knobs, knobs))
}))

/** Everything that a node stands on, in memory. */
export const modelPorts = Layer.mergeAll(
  Layer.provideMerge(Layer.merge(ledger, proofSystem), l1AndKnobs),
  SqliteStore.layer.pipe(Layer.provide(layerSqlite(":memory:"))),
  Layer.succeed(SettlerOptions, { blocksPerUpdate: 3, maxBlocks: 16, patience: "5 minutes", shares: defaultShares }),
  Layer.succeed(FeeOptions, {
    rule: devnetPriceRule,
    blockGas: ProverGas.make(32_000n),
    settlement: {
      gas: { update: 300_000n, block: 60_000n, checkpoint: 200_000n, blocksPerUpdate: 3, blocksPerCheckpoint: checkpointInterval },
      l1GasPrice: Effect.succeed(Option.some(7n))
    }
  })
)
