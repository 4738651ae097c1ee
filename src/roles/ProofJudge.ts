/**
 * The verdict on a peer's proof (OC-1). Verification is dear and everything else is cheap, so that everything else comes first: what
 * is known, was refused, or is of no use costs no verification.
 */
import { Effect } from "effect"
import { BlockNumber } from "../domain/Amount.ts"
import type { BlockHash, ProofId } from "../domain/Hash.ts"
import type { Proof, Statement } from "../domain/Proof.ts"
import type { PeerId, Verdict } from "../gossip/ProofGossip.ts"
import { ProofSystem } from "../proofs/ProofSystem.ts"
import { TreePlanner } from "./TreePlanner.ts"

/** Proofs that did not hold and are remembered. */
const rememberedRefusals = 4_096

/** Everything that a proof says, but its bytes: a proof's bytes can be changed by anybody so that it still holds. */
const contentOf = ({ from, leaves }: Statement): string =>
  [from.hash, ...leaves.flatMap(({ blockHash, prover }) => [blockHash, prover])].join()

export interface ProofJudge {
  /**
   * @param asked whether this node asked for it, so that what is known or of another chain is no fault
   */
  readonly judge: (proof: Proof, from: PeerId, asked: boolean) => Effect.Effect<Verdict>
  /** Takes note of a proof that this node keeps. */
  readonly know: (proof: Proof) => void
  /** Forgets proofs that end at or before a block. */
  readonly forget: (upTo: BlockNumber) => void
}

/** @param onAhead hears of a proof whose blocks this node's ledger does not have yet */
export const makeProofJudge = Effect.fnUntraced(function*(
  onAhead: Effect.Effect<void>
): Effect.fn.Return<ProofJudge, never, ProofSystem | TreePlanner> {
  const planner = yield* TreePlanner
  const { maxLeaves, mergeWork } = yield* ProofSystem
  /** Where merging is no work, everybody puts neighbours together itself, and one block's proof is all that is worth to be sent. */
  const mostLeaves = mergeWork ? maxLeaves : 1
  /** The last block of each content that was verified. */
  const known = new Map<string, BlockNumber>()
  /** The numbers of the blocks that verified proofs are about. */
  const numbers = new Map<BlockHash, BlockNumber>()
  const refused = new Set<ProofId>()

  const refuse = (id: ProofId) => {
    refused.add(id)
    if (refused.size <= rememberedRefusals) return
    for (const oldest of refused) {
      refused.delete(oldest)
      return
    }
  }

  /** A block's hash fixes its number. Who gives a known block another one makes up a chain that does not exist. */
  const misnumbers = ({ from, leaves }: Statement) =>
    leaves.some(({ blockHash }, i) => (numbers.get(blockHash) ?? from.number + 1 + i) !== from.number + 1 + i)

  const know = ({ statement }: Proof) => {
    known.set(contentOf(statement), statement.to.number)
    statement.leaves.forEach(({ blockHash }, i) => numbers.set(blockHash, BlockNumber.make(statement.from.number + 1 + i)))
  }

  return {
    know,
    forget: (upTo) => {
      for (const [content, number] of known) if (number <= upTo) known.delete(content)
      for (const [hash, number] of numbers) if (number <= upTo) numbers.delete(hash)
    },
    judge: Effect.fn("ProofJudge.judge")(function*(proof, from, asked) {
      const { statement } = proof
      const unneeded = asked ? "ignore" : "useless"
      if (statement.leaves.length > mostLeaves || known.has(contentOf(statement))) return unneeded
      if (misnumbers(statement) || refused.has(proof.id)) return "reject"
      return yield* planner.offer({ proof }).pipe(
        Effect.map((kept): Verdict => {
          if (!kept) return "ignore"
          know(proof)
          return "accept"
        }),
        Effect.catchTags({
          ProofInvalid: ({ message }) =>
            Effect.logDebug(`${from} sent a proof of block ${statement.to.number}: ${message}`).pipe(
              Effect.map((): Verdict => {
                refuse(proof.id)
                return "reject"
              })
            ),
          BlocksUnknown: ({ head, to }) => to > head ? Effect.as(onAhead, "ignore" as const) : Effect.succeed<Verdict>(unneeded)
        })
      )
    })
  }
})
