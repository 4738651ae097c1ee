/**
 * Random histories of calls to the contracts. A history follows from its seed; most calls are good, many are good but for one thing,
 * and their times fall on, right before and right after the moments at which a rule begins to say something else.
 */
import { Result } from "effect"
import { BlockRef } from "../../src/domain/Block.ts"
import { Checkpoint, QuorumCertificate } from "../../src/domain/Checkpoint.ts"
import { zeroAddress } from "../../src/domain/Hash.ts"
import { quorumOf, type ValidatorKeyPair } from "../../src/domain/QuorumCertificate.ts"
import { type Event, type State, step } from "../../src/domain/Settlement.ts"
import type { Outcome } from "../../src/domain/settlement/Emission.ts"
import { type SeededRandom, seededRandom } from "../../src/ledger/SeededRandom.ts"
import { blockAt, caller, type Draft, everybody, nextTime, number, pick, refuses, weighted } from "./Draws.ts"
import { drawRedundancy, drawRevert, drawUpdate } from "./Updates.ts"

/** A call, and what its certificate was made for: a dropped hand-over before it makes a good one bad. */
export interface Scripted {
  readonly event: Event
  /** Set where the event carries a certificate: the validator set that signs, and whether what it signs is the call's own digest. */
  readonly signing?: { readonly epoch: bigint; readonly genuine: boolean }
}

/** Whether a certificate's signature holds when its call comes. */
export const signatureHolds = (state: State, { signing }: Scripted): boolean =>
  signing !== undefined && signing.genuine && signing.epoch === state.registry.epoch

/** Validator sets by epoch, of a few validators each: a history's hand-overs go from one to the next. */
export const validatorsOf = (pairs: ReadonlyArray<ValidatorKeyPair>, epoch: bigint): ReadonlyArray<ValidatorKeyPair> => {
  const size = 1 + Number(epoch % 3n)
  const first = Number(epoch) % (pairs.length - size)
  return pairs.slice(first, first + size)
}

type Kind = Event["_tag"]

/** How often each call is tried, once a history is on its way. */
const weights: ReadonlyArray<readonly [number, Kind]> = [
  [17, "RegisterCheckpoint"],
  [26, "SubmitUpdate"],
  [13, "SubmitRedundant"],
  [5, "RevertUnproven"],
  [6, "RegisterProver"],
  [5, "Deregister"],
  [4, "Withdraw"],
  [6, "Fund"],
  [4, "Endow"],
  [5, "Claim"],
  [2, "Lapse"],
  [9, "Flag"],
  [2, "HandOver"]
]

/** The first calls of a history: without them, little else can happen. */
const early: ReadonlyArray<readonly [number, Kind]> = [
  [5, "RegisterProver"],
  [3, "Fund"],
  [2, "Endow"],
  [4, "RegisterCheckpoint"]
]

const earlyCalls = 9

const drawSigners = (random: SeededRandom, validators: number, epoch: bigint) => {
  const all = (1n << BigInt(validators)) - 1n
  const quorum = random.choose(quorumOf(validators), validators).reduce((bits, index) => bits | (1n << BigInt(index)), 0n)
  const good = random.chance(1, 2) ? all : quorum
  return weighted(random, [
    [26, () => ({ signers: good, signing: { epoch, genuine: true } })],
    [1, () => ({ signers: good, signing: { epoch, genuine: false } })],
    [1, () => ({ signers: good, signing: { epoch: epoch === 0n ? 1n : epoch - 1n, genuine: true } })],
    [1, () => ({ signers: random.chance(1, 2) ? 0n : good & (good - 1n), signing: { epoch, genuine: true } })],
    [1, () => ({ signers: good | (1n << BigInt(validators)), signing: { epoch, genuine: true } })]
  ])()
}

const certified = (draft: Draft) => {
  const { registry: { epoch, validators } } = draft.state
  const { signers, signing } = drawSigners(draft.random, validators, epoch)
  // The bytes are filled in where there are keys.
  return { certificate: new QuorumCertificate({ signers, signature: "0x" }), signatureHolds: signing.genuine && signing.epoch === epoch, signing }
}

const drawCheckpoint = (draft: Draft): Checkpoint => {
  const { checkpoints, random, state: { registry: { floor, headId }, tip } } = draft
  const head = checkpoints.find(({ id }) => id === headId)!
  const least = Math.max(head.number, floor)
  const at = (height: number, parent = head.id) => {
    const { hash, stateRoot } = blockAt(draft, height)
    return new Checkpoint({ parent, number: number(height), blockHash: hash, stateRoot })
  }
  const gone = checkpoints.find(({ number, parent }) => parent === headId && number > least)
  const next = () => at(least + 1 + random.integer(random.chance(1, 3) ? 6 : 2))
  return weighted(random, [
    [24, next],
    [2, () => at(least)],
    [1, () => at(random.chance(1, 2) ? head.number : tip.number)],
    [1, () => at(least + 1, pick(random, checkpoints).id)],
    // One that a revert took back, if there is one: else one that was registered long ago.
    [gone === undefined ? 2 : 8, () => gone ?? pick(random, checkpoints)]
  ])()
}

const drawHandOver = (draft: Draft, pairs: ReadonlyArray<ValidatorKeyPair>): Scripted => {
  const { at, random, state } = draft
  const { signing, ...signed } = certified(draft)
  const next = validatorsOf(pairs, state.registry.epoch + 1n).map(({ publicKey }) => ({ key: publicKey, possessionHolds: true }))
  const validators = weighted(random, [
    [8, () => next],
    [1, () => []],
    [1, () => [...next, next[0]!]],
    [1, () => next.with(next.length - 1, { ...next[next.length - 1]!, possessionHolds: false })],
    [1, () => Array.from({ length: 65 }, () => next[0]!)]
  ])()
  return { event: { _tag: "HandOver", sender: caller(random), at, validators, ...signed }, signing }
}

const drawAmount = (random: SeededRandom): bigint =>
  weighted(random, [
    [8, () => random.below(4n * 10n ** 18n)],
    [2, () => random.below(1000n)],
    [1, () => 0n],
    [1, () => random.below(1n << 80n)],
    [1, () => (1n << 80n) - 1n + random.below(2n)]
  ])()

/** A call of a kind; none where it would make no sense at all now. */
const draw = (draft: Draft, kind: Kind, pairs: ReadonlyArray<ValidatorKeyPair>): Scripted | undefined => {
  const { at, random, state } = draft
  const sender = caller(random)
  const only = (event: Event | undefined): Scripted | undefined => event === undefined ? undefined : { event }
  switch (kind) {
    case "RegisterCheckpoint": {
      const { signing, ...signed } = certified(draft)
      return { event: { _tag: kind, sender, at, checkpoint: drawCheckpoint(draft), ...signed }, signing }
    }
    case "HandOver":
      return drawHandOver(draft, pairs)
    case "SubmitUpdate":
      return only(drawUpdate(draft))
    case "SubmitRedundant":
      return only(drawRedundancy(draft))
    case "RevertUnproven":
      return only(drawRevert(draft))
    case "RegisterProver": {
      const { bond } = state.parameters
      return only({ _tag: kind, sender, at, value: random.chance(9, 10) ? bond : pick(random, [0n, bond - 1n, bond + 1n]) })
    }
    case "Deregister":
      return only({ _tag: kind, sender: random.chance(4, 5) && state.provers.order.length > 0 ? pick(random, state.provers.order).prover : sender, at })
    case "Withdraw": {
      const leaving = [...state.provers.leaving]
      const due = leaving.filter(([, unlocksAt]) => unlocksAt <= at)
      const from = due.length > 0 && random.chance(2, 3) ? due : leaving
      const prover = random.chance(4, 5) && from.length > 0 ? pick(random, from)[0] : pick(random, everybody)
      return only({ _tag: kind, sender, at, prover, refused: refuses(prover) })
    }
    case "Fund":
    case "Endow":
      return only({ _tag: kind, sender, at, amount: drawAmount(random) })
    case "Claim": {
      const owed = [...state.vault.accounts].filter(([, { credit }]) => credit > 0n).map(([account]) => account)
      const account = random.chance(4, 5) && owed.length > 0 ? pick(random, owed) : pick(random, everybody)
      return only({ _tag: kind, sender, at, account, refused: refuses(account) })
    }
    case "Lapse":
      return only({ _tag: kind, sender, at })
    case "Flag": {
      const known = [...state.vault.accounts].filter(([account, { reputation }]) => account !== zeroAddress && reputation.updates > 0)
      const active = known.filter(([, { reputation }]) => reputation.updates >= state.parameters.minUpdates)
      const from = random.chance(4, 5) && active.length > 0 ? active : known
      return only({ _tag: kind, sender: random.chance(6, 7) && from.length > 0 ? pick(random, from)[0] : sender, at })
    }
  }
}

/** What later calls can refer to, after one that succeeded. */
const remember = (draft: Omit<Draft, "at">, { event }: Scripted, { effects, state }: Outcome<State>): Omit<Draft, "at"> => {
  const next = { ...draft, state }
  if (event._tag === "RegisterCheckpoint") return { ...next, checkpoints: [...draft.checkpoints, event.checkpoint] }
  if (event._tag === "RevertUnproven") return { ...next, floors: [...draft.floors, state.registry.floor] }
  const opened = effects.find((effect) => effect._tag === "RedundancyOpened")
  if (event._tag !== "SubmitUpdate" || opened === undefined) return next
  const { tip: { hash, number } } = draft.state
  const { holder, shares } = opened
  const leaves = event.update.leaves.slice(event.update.leaves.length - shares.length)
  return { ...next, transitions: [...draft.transitions, { from: new BlockRef({ hash, number }), leaves, shares, holder, settledAt: event.at }] }
}

/** What a history starts from. */
export interface Beginning {
  readonly seed: string
  readonly state: State
  readonly genesis: Checkpoint
  /** L1 time of the last thing that happened. */
  readonly at: bigint
  /** Keys that validators can have. */
  readonly pairs: ReadonlyArray<ValidatorKeyPair>
}

/** So many calls, in order. */
export const drawHistory = ({ at: begin, genesis, pairs, seed, state }: Beginning, length: number): ReadonlyArray<Scripted> => {
  const random = seededRandom("history", seed)
  let draft: Omit<Draft, "at"> = { random, jumps: pick(random, [6, 18, 45]), state, checkpoints: [genesis], floors: [], transitions: [] }
  let at = begin
  const history: Array<Scripted> = []
  while (history.length < length) {
    const next = nextTime(draft, at)
    at = next.at
    const usual = weighted(random, history.length < earlyCalls ? early : weights)
    const scripted = draw({ ...draft, at }, next.kind !== undefined && random.chance(2, 3) ? next.kind : usual, pairs)
    if (scripted === undefined) continue
    history.push(scripted)
    const stepped = step(draft.state, scripted.event)
    if (Result.isSuccess(stepped)) draft = remember(draft, scripted, stepped.success)
  }
  return history
}
