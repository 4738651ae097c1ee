/**
 * How proofs and hints travel between the operators of one devnet (OC-1, OC-3): what one proved is offered to the planners of the
 * others, which verify it before they keep it.
 */
import { Clock, Context, Duration, Effect, Stream } from "effect"
import type { ProofId } from "../domain/Hash.ts"
import { ProverPool } from "../roles/ProverPool.ts"
import { TreePlanner } from "../roles/TreePlanner.ts"
import type { Operator } from "./Operator.ts"

/** How often an operator says what it works on although nothing changed, and for how long that counts. */
const [hintEvery, hintLifetime] = [Duration.seconds(10), Duration.seconds(30)]

/** Offers an operator's own proofs to another one, for ever, and tells it what the operator works on. What is refused is offered again when the forest changes. */
const give = (from: Operator, to: Operator) => {
  const given = new Set<ProofId>()
  const receiver = Context.get(to.node, TreePlanner)
  const views = Context.get(from.node, TreePlanner).changes()
  const offers = views.pipe(
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
  const work = Stream.zipLatestWith(
    Context.get(from.node, ProverPool).changes(),
    views,
    ({ capacity }, { running }) => ({ capacity, atoms: running.map(({ from, to }) => ({ from, to })) })
  ).pipe(Stream.changesWith((a, b) => JSON.stringify(a) === JSON.stringify(b)))
  const hints = work.pipe(
    Stream.switchMap((hint) => Stream.as(Stream.tick(hintEvery), hint)),
    Stream.runForEach((hint) =>
      Effect.flatMap(Clock.currentTimeMillis, (issuedAt) =>
        receiver.hint({ hint: { ...hint, prover: from.account, issuedAt, expiresAt: issuedAt + Duration.toMillis(hintLifetime) } })))
  )
  return Effect.all([offers, hints], { concurrency: "unbounded", discard: true })
}

/** Exchanges proofs between operators, until the scope closes. */
export const exchangeProofs = (operators: ReadonlyArray<Operator>) =>
  Effect.forEach(
    operators.flatMap((from) => operators.filter((to) => to !== from).map((to) => give(from, to))),
    (giving) => Effect.forkScoped(giving),
    { discard: true }
  )
