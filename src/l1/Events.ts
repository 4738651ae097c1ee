/**
 * What the contracts say, as domain values. Every log is decoded by the ABI and then checked by schema.
 */
import { Schema } from "effect"
import { type Log, parseEventLogs } from "viem"
import { BlockNumber, Wei } from "../domain/Amount.ts"
import { BlockRef } from "../domain/Block.ts"
import { Checkpoint, QuorumCertificate } from "../domain/Checkpoint.ts"
import { Address, BlockHash, Bytes32, CheckpointId, HexBytes, toAddress, TransactionHash } from "../domain/Hash.ts"
import { ProofSystemId } from "../domain/Proof.ts"
import { ValidatorKey, ValidatorSet } from "../domain/QuorumCertificate.ts"
import { checkpointRegistryAbi, creditKinds, feeSignalAbi, proofSystemIds, proverRegistryAbi, reserves, rewardVaultAbi, stateUpdateAbi } from "./abi.ts"

/** Where on L1 an event stands. */
export class L1Position extends Schema.Class<L1Position>("lignum/L1Position")({
  block: Schema.Int,
  blockHash: Bytes32,
  transaction: TransactionHash
}) {}

/** A checkpoint joined the chain (CP-1), with the certificate that the registry checked (CP-2). */
export class CheckpointRegistered extends Schema.TaggedClass<CheckpointRegistered>()("CheckpointRegistered", {
  at: L1Position,
  checkpoint: Checkpoint,
  certificate: QuorumCertificate
}) {}

/** The validators that certify from here on (CP-3). */
export class ValidatorSetChanged extends Schema.TaggedClass<ValidatorSetChanged>()("ValidatorSetChanged", {
  at: L1Position,
  validators: ValidatorSet
}) {}

/** The oldest unproven checkpoint grew too old: every checkpoint behind `head` is dead, and consensus rebuilds from the tip (CP-4). */
export class CheckpointsReverted extends Schema.TaggedClass<CheckpointsReverted>()("CheckpointsReverted", {
  at: L1Position,
  /** How often the registry was reverted, this time included. */
  generation: Schema.Int,
  /** The registry's head from here on: the newest checkpoint at or behind the tip. */
  head: CheckpointId,
  headNumber: BlockNumber,
  /** Number of the proven tip; the next checkpoint lies beyond it. */
  tip: BlockNumber
}) {}

/** The proven tip moved (ST-1 to ST-3). */
export class StateUpdated extends Schema.TaggedClass<StateUpdated>()("StateUpdated", {
  at: L1Position,
  from: BlockRef,
  to: BlockRef,
  system: ProofSystemId,
  submitter: Address,
  /** The checkpoint that continues `to`. */
  continuedBy: CheckpointId
}) {}

/** Money came into the vault. */
export class Funded extends Schema.TaggedClass<Funded>()("Funded", { at: L1Position, by: Address, amount: Wei }) {}

/** An account is owed for a deed (RW-7). */
export class Credited extends Schema.TaggedClass<Credited>()("Credited", {
  at: L1Position,
  block: BlockNumber,
  account: Address,
  kind: Schema.Literals(creditKinds),
  amount: Wei
}) {}

/** A part of the pots of a range of blocks went into a reserve (RW-2). */
export class Reserved extends Schema.TaggedClass<Reserved>()("Reserved", {
  at: L1Position,
  reserve: Schema.Literals(reserves),
  firstBlock: BlockNumber,
  lastBlock: BlockNumber,
  amount: Wei
}) {}

/** A part of a reserve was released, to a credit of the same transaction or to the other reserve (RW-7). */
export class Released extends Schema.TaggedClass<Released>()("Released", {
  at: L1Position,
  reserve: Schema.Literals(reserves),
  firstBlock: BlockNumber,
  lastBlock: BlockNumber,
  amount: Wei
}) {}

/** An update came when the race was over (ST-6). */
export class UpdatedInTurn extends Schema.TaggedClass<UpdatedInTurn>()("UpdatedInTurn", {
  at: L1Position,
  to: BlockNumber,
  /** Index of the turn since the race ended, from zero. */
  turn: Schema.Int,
  /** Whose turn it was; the zero address if nobody is designated. */
  holder: Address,
  submitter: Address
}) {}

/** A prover takes part in turns from here on (ST-6). */
export class ProverRegistered extends Schema.TaggedClass<ProverRegistered>()("ProverRegistered", {
  at: L1Position,
  prover: Address,
  position: Schema.Int
}) {}

/** A prover takes part in no more turns (ST-6). */
export class ProverLeft extends Schema.TaggedClass<ProverLeft>()("ProverLeft", {
  at: L1Position,
  prover: Address,
  /** Who stands in its place now; the zero address if it was the last in the order. */
  moved: Address,
  /** L1 time in seconds from which its bond can be withdrawn. */
  unlocksAt: Schema.BigIntFromString
}) {}

/** A prover that left got its bond back (ST-6). */
export class BondReturned extends Schema.TaggedClass<BondReturned>()("BondReturned", { at: L1Position, prover: Address, amount: Wei }) {}

/** A block's pot was smaller than its fees because the vault held too little. */
export class PotShort extends Schema.TaggedClass<PotShort>()("PotShort", {
  at: L1Position,
  block: BlockNumber,
  proverFees: Wei,
  pot: Wei
}) {}

/** Redundancy shares that nobody earned in time moved to the protocol reserve (RW-4). */
export class Lapsed extends Schema.TaggedClass<Lapsed>()("Lapsed", { at: L1Position, amount: Wei }) {}

/** A turn passed without an update: its holder lost half of its reputation (ST-6). */
export class TurnMissed extends Schema.TaggedClass<TurnMissed>()("TurnMissed", {
  at: L1Position,
  /** Index of the turn since the race ended, from zero. */
  turn: Schema.Int,
  holder: Address,
  /** Prover gas that its reputation was reduced by: a sum over many updates, wider than any one block's. */
  lost: Schema.BigIntFromString
}) {}

/** A redundancy turn began with an update (RW-4). */
export class RedundancyOpened extends Schema.TaggedClass<RedundancyOpened>()("RedundancyOpened", {
  at: L1Position,
  /** The update's last block. */
  to: BlockHash,
  holder: Address,
  /** The last L1 second in which the holder's proof is taken. */
  closesAt: Schema.BigIntFromString,
  /** Who was paid for each block's leaf. */
  provers: Schema.Array(Address),
  /** What a redundant proof of each block earns. */
  shares: Schema.Array(Wei)
}) {}

/** A turn-holder proved a transition once more (RW-4). */
export class RedundancyProven extends Schema.TaggedClass<RedundancyProven>()("RedundancyProven", {
  at: L1Position,
  /** The transition's last block. */
  to: BlockHash,
  holder: Address,
  system: ProofSystemId,
  earned: Wei
}) {}

/** An account drew what it was owed (RW-5). */
export class Claimed extends Schema.TaggedClass<Claimed>()("Claimed", { at: L1Position, account: Address, amount: Wei }) {}

/** A prover said that the price of proving is too low (FM-3). */
export class Flagged extends Schema.TaggedClass<Flagged>()("Flagged", {
  at: L1Position,
  epoch: Schema.BigIntFromString,
  prover: Address,
  /** What the flag weighs, in prover gas: the prover's reputation, capped. */
  weight: Schema.BigIntFromString,
  /** What all flags of the epoch weigh so far. */
  gathered: Schema.BigIntFromString,
  /** The reputation of all provers. */
  total: Schema.BigIntFromString
}) {}

/** The flags of an epoch reached the quorum (FM-3). */
export class MultiplierRaised extends Schema.TaggedClass<MultiplierRaised>()("MultiplierRaised", {
  at: L1Position,
  epoch: Schema.BigIntFromString,
  /** The multiplier from here on, in millionths. */
  multiplier: Schema.BigIntFromString
}) {}

export const L1Event = Schema.Union([
  CheckpointRegistered,
  ValidatorSetChanged,
  CheckpointsReverted,
  StateUpdated,
  Funded,
  Credited,
  Reserved,
  Released,
  PotShort,
  Claimed,
  UpdatedInTurn,
  ProverRegistered,
  ProverLeft,
  BondReturned,
  Lapsed,
  TurnMissed,
  RedundancyOpened,
  RedundancyProven,
  Flagged,
  MultiplierRaised
])
export type L1Event = typeof L1Event.Type

/** Who is registered for turns after an event (ST-6). */
export const registeredAfter = (registered: ReadonlySet<Address>, event: L1Event): ReadonlySet<Address> => {
  if (event._tag === "ProverRegistered") return new Set([...registered, event.prover])
  return event._tag === "ProverLeft" ? new Set([...registered].filter((prover) => prover !== event.prover)) : registered
}

const abi = [...checkpointRegistryAbi, ...proverRegistryAbi, ...stateUpdateAbi, ...rewardVaultAbi, ...feeSignalAbi].filter((item) => item.type === "event")

const systemOf = (id: number): ProofSystemId => {
  const found = Object.entries(proofSystemIds).find(([, each]) => each === id)
  return ProofSystemId.make(found?.[0] as ProofSystemId)
}

const blockRef = (number: bigint, hash: string) => BlockRef.make({ number: BlockNumber.make(Number(number)), hash: hash as never })

const splitKeys = (keys: string): ReadonlyArray<string> => keys.slice(2).match(/.{512}/g)?.map((key) => `0x${key}`) ?? []

/**
 * The events among logs, in their order. Logs that are no event of the contracts' are passed over; a log that is one and
 * does not fit its schema is a defect: the contract is not the one that this code was written for.
 */
export const decodeEvents = (logs: ReadonlyArray<Log>): ReadonlyArray<L1Event> =>
  parseEventLogs({ abi, logs: [...logs], strict: true }).flatMap((log): ReadonlyArray<L1Event> => {
    const at = new L1Position({
      block: Number(log.blockNumber),
      blockHash: log.blockHash as Bytes32,
      transaction: TransactionHash.make(log.transactionHash as Bytes32)
    })
    switch (log.eventName) {
      case "CheckpointRegistered": {
        const { parentId, number, blockHash, stateRoot, signers, signature } = log.args
        return [
          new CheckpointRegistered({
            at,
            checkpoint: Checkpoint.make({
              parent: CheckpointId.make(parentId),
              number: BlockNumber.make(Number(number)),
              blockHash: blockHash as never,
              stateRoot: stateRoot as never
            }),
            certificate: new QuorumCertificate({ signature: HexBytes.make(signature), signers })
          })
        ]
      }
      case "ValidatorSetChanged": {
        const [first, ...rest] = splitKeys(log.args.keys).map((key) => ValidatorKey.make(key as never))
        return [new ValidatorSetChanged({ at, validators: new ValidatorSet({ epoch: log.args.epoch, publicKeys: [first!, ...rest] }) })]
      }
      case "CheckpointsReverted":
        return [
          new CheckpointsReverted({
            at,
            generation: log.args.generation,
            head: CheckpointId.make(log.args.headId),
            headNumber: BlockNumber.make(Number(log.args.headNumber)),
            tip: BlockNumber.make(Number(log.args.tipNumber))
          })
        ]
      case "StateUpdated": {
        const { fromHash, toHash, fromNumber, toNumber, system, submitter, checkpointId } = log.args
        return [
          new StateUpdated({
            at,
            from: blockRef(fromNumber, fromHash),
            to: blockRef(toNumber, toHash),
            system: systemOf(system),
            submitter: toAddress(submitter),
            continuedBy: CheckpointId.make(checkpointId)
          })
        ]
      }
      case "Funded":
        return [new Funded({ at, by: toAddress(log.args.by), amount: Wei.make(log.args.amount) })]
      case "Credited":
        return [
          new Credited({
            at,
            block: BlockNumber.make(Number(log.args.number)),
            account: toAddress(log.args.account),
            kind: creditKinds[log.args.kind]!,
            amount: Wei.make(log.args.amount)
          })
        ]
      case "Reserved":
        return [
          new Reserved({
            at,
            reserve: reserves[log.args.reserve]!,
            firstBlock: BlockNumber.make(Number(log.args.firstNumber)),
            lastBlock: BlockNumber.make(Number(log.args.lastNumber)),
            amount: Wei.make(log.args.amount)
          })
        ]
      case "Released":
        return [
          new Released({
            at,
            reserve: reserves[log.args.reserve]!,
            firstBlock: BlockNumber.make(Number(log.args.firstNumber)),
            lastBlock: BlockNumber.make(Number(log.args.lastNumber)),
            amount: Wei.make(log.args.amount)
          })
        ]
      case "UpdatedInTurn": {
        const { holder, submitter, toNumber, turn } = log.args
        return [
          new UpdatedInTurn({
            at,
            to: BlockNumber.make(Number(toNumber)),
            turn: Number(turn),
            holder: toAddress(holder),
            submitter: toAddress(submitter)
          })
        ]
      }
      case "ProverRegistered":
        return [new ProverRegistered({ at, prover: toAddress(log.args.prover), position: Number(log.args.position) })]
      case "ProverLeft":
        return [
          new ProverLeft({
            at,
            prover: toAddress(log.args.prover),
            moved: toAddress(log.args.moved),
            unlocksAt: log.args.unlocksAt
          })
        ]
      case "BondReturned":
        return [new BondReturned({ at, prover: toAddress(log.args.prover), amount: Wei.make(log.args.amount) })]
      case "Flagged": {
        const { epoch, gathered, prover, total, weight } = log.args
        return [new Flagged({ at, epoch: BigInt(epoch), prover: toAddress(prover), weight, gathered, total })]
      }
      case "MultiplierRaised":
        return [new MultiplierRaised({ at, epoch: BigInt(log.args.epoch), multiplier: log.args.multiplier })]
      case "PotShort":
        return [
          new PotShort({
            at,
            block: BlockNumber.make(Number(log.args.number)),
            proverFees: Wei.make(log.args.proverFees),
            pot: Wei.make(log.args.pot)
          })
        ]
      case "Claimed":
        return [new Claimed({ at, account: toAddress(log.args.account), amount: Wei.make(log.args.amount) })]
      case "Lapsed":
        return [new Lapsed({ at, amount: Wei.make(log.args.amount) })]
      case "TurnMissed":
        return [new TurnMissed({ at, turn: Number(log.args.turn), holder: toAddress(log.args.holder), lost: log.args.lost })]
      case "RedundancyOpened": {
        const { closesAt, holder, provers, shares, toHash } = log.args
        return [
          new RedundancyOpened({
            at,
            to: BlockHash.make(toHash as BlockHash),
            holder: toAddress(holder),
            closesAt,
            provers: provers.map(toAddress),
            shares: shares.map((share) => Wei.make(share))
          })
        ]
      }
      case "RedundancyProven": {
        const { earned, holder, system, toHash } = log.args
        return [
          new RedundancyProven({
            at,
            to: BlockHash.make(toHash as BlockHash),
            holder: toAddress(holder),
            system: systemOf(system),
            earned: Wei.make(earned)
          })
        ]
      }
      default:
        return []
    }
  })
