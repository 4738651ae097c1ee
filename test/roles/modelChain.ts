/**
 * The contracts for tests of roles under a virtual clock: events by block, checkpoints of the model ledger, reorganisations, reverts.
 */
import { Clock, Effect, Ref, SubscriptionRef } from "effect"
import { keccak256, stringToHex } from "viem"
import { BlockNumber, Wei } from "../../src/domain/Amount.ts"
import { Checkpoint, checkpointDigest, genesisCheckpoint, QuorumCertificate } from "../../src/domain/Checkpoint.ts"
import { type Bytes32, CheckpointId, TransactionHash, toHex32 } from "../../src/domain/Hash.ts"
import type { Statement } from "../../src/domain/Proof.ts"
import { certifyDigest, validatorKeyPairFrom, ValidatorSet } from "../../src/domain/QuorumCertificate.ts"
import { defaultShares, splitPot } from "../../src/domain/Rewards.ts"
import {
  CheckpointRegistered,
  CheckpointsReverted,
  Claimed,
  Credited,
  Flagged,
  Funded,
  type L1Event,
  L1Position,
  Reserved,
  StateUpdated,
  ValidatorSetChanged
} from "../../src/l1/Events.ts"
import type { Call } from "../../src/l1/L1.ts"
import { prover } from "../domain/builders.ts"
import { blockTime, chain, firstLedger, headerOf, ModelLedger, type ModelLedgerState, refIn } from "./modelLedger.ts"

export const account = prover(1)
export const registry = prover(0xc0)
export const checkpointInterval = 2
/** The fee signal's epochs last two minutes here. */
const signalEpoch = 120_000
export const epochNow = Effect.map(Clock.currentTimeMillis, (now) => BigInt(Math.floor(now / signalEpoch)))

export interface ModelChain {
  readonly events: ReadonlyArray<L1Event>
  readonly block: number
  /** How often blocks were taken back: part of every hash made since. */
  readonly fork: number
  readonly hashes: ReadonlyArray<Bytes32>
  readonly strangers: number
  /** The node's own transactions, by the block that has them. */
  readonly included: ReadonlyMap<TransactionHash, number>
}

/** What a transaction does: an update of these blocks, another call, or nothing but using its nonce. */
export type Deed = Statement | Exclude<Call["kind"], "update"> | "nothing"

/** What an account is owed. */
export const creditIn = ({ events }: ModelChain, owner: string): bigint =>
  events.reduce((total, event) =>
    event._tag === "Credited" && event.account === owner
      ? total + event.amount
      : event._tag === "Claimed" && event.account === owner
      ? total - event.amount
      : total, 0n)

export const tipOf = ({ events }: ModelChain): number => events.reduce((tip, event) => event._tag === "StateUpdated" ? event.to.number : tip, 0)
/** The registry's chain, genesis first. */
const checkpointsOf = ({ events }: ModelChain): ReadonlyArray<Checkpoint> =>
  events.reduce<ReadonlyArray<Checkpoint>>((live, event) => {
    if (event._tag === "CheckpointsReverted") return live.filter(({ number }) => number <= event.headNumber)
    return event._tag === "CheckpointRegistered" ? [...live, event.checkpoint] : live
  }, [])
const revertsOf = ({ events }: ModelChain) => events.filter((event) => event._tag === "CheckpointsReverted")
export const nonceOf = ({ included, strangers }: ModelChain): number => included.size + strangers

/** The chain with another block on it. */
export const extend = (now: ModelChain): ModelChain => ({
  ...now,
  block: now.block + 1,
  hashes: [...now.hashes, keccak256(stringToHex(`${now.fork} ${now.block + 1}`)) as Bytes32]
})
const position = ({ block, hashes }: ModelChain, transaction = TransactionHash.make(toHex32(BigInt(block)))) =>
  new L1Position({ block, blockHash: hashes[block]!, transaction })

export const makeL1 = Effect.gen(function*() {
  const ledger = yield* ModelLedger
  const keys = Array.from({ length: 4 }, (_, i) => validatorKeyPairFrom(`model/${i}`))
  const [firstKey, ...otherKeys] = keys.map(({ publicKey }) => publicKey)
  const validators = new ValidatorSet({ epoch: 0n, publicKeys: [firstKey!, ...otherKeys] })
  const genesis = genesisCheckpoint(refIn(firstLedger, 0), chain.genesis.stateRoot)
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
    yield* Effect.sleep(blockTime)
    const seen = yield* SubscriptionRef.get(ledger.state)
    const chainNow = yield* Ref.get(state)
    const last = checkpointsOf(chainNow).at(-1)!
    const floor = Math.max(last.number, ...revertsOf(chainNow).map(({ tip }) => tip))
    const number = checkpointInterval * (Math.floor(floor / checkpointInterval) + 1)
    if (number > seen.height) return
    const header = headerOf(seen, number)
    const checkpoint = new Checkpoint({ parent: last.id, number: header.number, blockHash: header.hash, stateRoot: header.stateRoot })
    const digest = checkpointDigest({ chainId: 1n, registry, epoch: 0n }, checkpoint.id)
    const certificate = certifyDigest(digest, new Map(keys.slice(0, 3).map(({ secretKey }, i) => [i, secretKey])))
    yield* Ref.update(state, (now) => {
      const next = extend(now)
      return { ...next, events: [...now.events, new CheckpointRegistered({ at: position(next), checkpoint, certificate })] }
    })
  }).pipe(Effect.forever, Effect.delay("500 millis"), Effect.forkScoped)

  const revert = Effect.gen(function*() {
    const tip = tipOf(yield* Ref.get(state))
    yield* Ref.update(state, (now) => {
      const next = extend(now)
      const head = checkpointsOf(now).findLast(({ number }) => number <= tip)!
      const event = new CheckpointsReverted({
        at: position(next),
        generation: revertsOf(now).length + 1,
        head: head.id,
        headNumber: head.number,
        tip: BlockNumber.make(tip)
      })
      return { ...next, events: [...now.events, event] }
    })
    yield* ledger.rebuild(tip)
  })

  const updateEvents = (now: ModelChain, statement: Statement, submitter: typeof account, transaction: TransactionHash): ReadonlyArray<L1Event> => {
    const at = position(now, transaction)
    const checkpoint = checkpointsOf(now).find(({ number }) => number >= statement.to.number)
    return [
      new StateUpdated({
        at,
        from: statement.from,
        to: statement.to,
        system: "groth16",
        submitter,
        continuedBy: checkpoint?.id ?? CheckpointId.make(toHex32(0n))
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

  /** Whether L1 takes an update: it starts at the tip, and a live checkpoint continues its end. */
  const accepts = (now: ModelChain, blocks: ModelLedgerState, { from, to }: Statement) =>
    from.number === tipOf(now) && to.hash === headerOf(blocks, to.number).hash

  const flagEvents = (next: ModelChain, epoch: bigint, transaction: TransactionHash): ReadonlyArray<L1Event> =>
    next.events.some((event) => event._tag === "Flagged" && event.epoch === epoch)
      ? []
      : [new Flagged({ at: position(next, transaction), epoch, prover: account, weight: 1n, gathered: 1n, total: 10n })]

  const include = Effect.fnUntraced(function*(deed: Deed, submitter: typeof account, transaction: TransactionHash, nonce: number | undefined) {
    const blocks = yield* SubscriptionRef.get(ledger.state)
    const epoch = yield* epochNow
    yield* Ref.update(state, (now) => {
      if (nonce !== undefined && nonceOf(now) !== nonce) return now
      const next = extend(now)
      const events = deed === "flag"
        ? flagEvents(next, epoch, transaction)
        : deed === "claim"
        ? [new Claimed({ at: position(next, transaction), account, amount: Wei.make(creditIn(now, account)) })]
        : typeof deed !== "string" && accepts(now, blocks, deed)
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

  return { state, include, reorg, revert, accepts, ledger }
})
