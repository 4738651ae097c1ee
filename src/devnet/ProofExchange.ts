/**
 * How proofs travel between the operators of one devnet (OC-1): what one proved is offered to the planners of the others, which
 * verify it before they keep it.
 */
import { Context, Effect, Stream } from "effect"
import type { ProofId } from "../domain/Hash.ts"
import { TreePlanner } from "../roles/TreePlanner.ts"
import type { Operator } from "./Operator.ts"

/** Offers an operator's own proofs to another one, for ever. What is refused is offered again when the forest changes. */
const give = (from: Operator, to: Operator) => {
  const given = new Set<ProofId>()
  const receiver = Context.get(to.node, TreePlanner)
  return Context.get(from.node, TreePlanner).changes().pipe(
    Stream.buffer({ capacity: 1, strategy: "sliding" }),
    Stream.runForEach(({ heaviest }) =>
      Effect.forEach(heaviest, (proof) => {
        const { id } = proof
        if (given.has(id) || proof.statement.leaves.some(({ prover }) => prover !== from.account)) return Effect.void
        return receiver.offer({ proof }).pipe(
          Effect.tap(() => Effect.sync(() => given.add(id))),
          Effect.catchTag(["ProofInvalid", "BlocksUnknown"], ({ message }) => Effect.logDebug(`${to.name} did not take a proof of ${from.name}: ${message}`))
        )
      }, { discard: true })
    )
  )
}

/** Exchanges proofs between operators, until the scope closes. */
export const exchangeProofs = (operators: ReadonlyArray<Operator>) =>
  Effect.forEach(
    operators.flatMap((from) => operators.filter((to) => to !== from).map((to) => give(from, to))),
    (giving) => Effect.forkScoped(giving),
    { discard: true }
  )
