/**
 * What the pure settlement says, as the events that a node reads from L1.
 */
import { Wei } from "../domain/Amount.ts"
import { BlockRef } from "../domain/Block.ts"
import { Checkpoint, QuorumCertificate } from "../domain/Checkpoint.ts"
import type { ProofSystemId } from "../domain/Proof.ts"
import { ValidatorSet } from "../domain/QuorumCertificate.ts"
import type { Emission } from "../domain/settlement/Emission.ts"
import { proofSystemIds } from "../l1/abi.ts"
import * as Events from "../l1/Events.ts"

const systemOf = (id: number): ProofSystemId => (Object.keys(proofSystemIds) as ReadonlyArray<ProofSystemId>).find((name) => proofSystemIds[name] === id)!

const wei = (amount: bigint) => Wei.make(amount)

/** An event at its place on L1; none where nodes do not read it. */
export const eventOf = (emission: Emission, at: Events.L1Position): ReadonlyArray<Events.L1Event> => {
  switch (emission._tag) {
    case "CheckpointRegistered": {
      const { blockHash, number, parentId, signature, signers, stateRoot } = emission
      const checkpoint = new Checkpoint({ parent: parentId, number, blockHash, stateRoot })
      return [new Events.CheckpointRegistered({ at, checkpoint, certificate: new QuorumCertificate({ signature, signers }) })]
    }
    case "ValidatorSetChanged": {
      const [first, ...rest] = emission.keys
      return [new Events.ValidatorSetChanged({ at, validators: new ValidatorSet({ epoch: emission.epoch, publicKeys: [first!, ...rest] }) })]
    }
    case "CheckpointsReverted": {
      const { generation, headId, headNumber, tipNumber } = emission
      return [new Events.CheckpointsReverted({ at, generation, head: headId, headNumber, tip: tipNumber })]
    }
    case "StateUpdated": {
      const { checkpointId, fromHash, fromNumber, submitter, system, toHash, toNumber } = emission
      return [
        new Events.StateUpdated({
          at,
          from: new BlockRef({ number: fromNumber, hash: fromHash }),
          to: new BlockRef({ number: toNumber, hash: toHash }),
          system: systemOf(system),
          submitter,
          continuedBy: checkpointId
        })
      ]
    }
    case "AlreadyProven":
      return []
    case "UpdatedInTurn":
      return [new Events.UpdatedInTurn({ at, to: emission.toNumber, turn: emission.turn, holder: emission.holder, submitter: emission.submitter })]
    case "TurnMissed":
      return [new Events.TurnMissed({ at, turn: emission.turn, holder: emission.holder, lost: emission.lost })]
    case "ProverRegistered":
      return [new Events.ProverRegistered({ at, prover: emission.prover, position: emission.position })]
    case "ProverLeft":
      return [new Events.ProverLeft({ at, prover: emission.prover, moved: emission.moved, unlocksAt: emission.unlocksAt })]
    case "BondReturned":
      return [new Events.BondReturned({ at, prover: emission.prover, amount: wei(emission.amount) })]
    case "RedundancyOpened": {
      const { closesAt, holder, provers, shares, toHash } = emission
      return [new Events.RedundancyOpened({ at, to: toHash, holder, closesAt, provers, shares: shares.map(wei) })]
    }
    case "RedundancyProven":
      return [
        new Events.RedundancyProven({ at, to: emission.toHash, holder: emission.holder, system: systemOf(emission.system), earned: wei(emission.earned) })
      ]
    case "Lapsed":
      return [new Events.Lapsed({ at, amount: wei(emission.amount) })]
    case "Funded":
      return [new Events.Funded({ at, by: emission.by, amount: wei(emission.amount) })]
    case "Credited":
      return [new Events.Credited({ at, block: emission.number, account: emission.account, kind: emission.kind, amount: wei(emission.amount) })]
    case "Reserved":
    case "Released": {
      const { _tag, amount, firstNumber, lastNumber, reserve } = emission
      return [new Events[_tag]({ at, reserve, firstBlock: firstNumber, lastBlock: lastNumber, amount: wei(amount) })]
    }
    case "PotShort":
      return [new Events.PotShort({ at, block: emission.number, proverFees: wei(emission.proverFees), pot: wei(emission.pot) })]
    case "Claimed":
      return [new Events.Claimed({ at, account: emission.account, amount: wei(emission.amount) })]
    case "Flagged": {
      const { epoch, gathered, prover, total, weight } = emission
      return [new Events.Flagged({ at, epoch, prover, weight, gathered, total })]
    }
    case "MultiplierRaised":
      return [new Events.MultiplierRaised({ at, epoch: emission.epoch, multiplier: emission.multiplier })]
  }
}
