/**
 * The verdict on a peer's hint (OC-3). A hint counts only with the signature of a registered prover, who has a bond, so that a new
 * name to lie under costs something. What a hint then is worth is the planner's to find out.
 */
import { Clock, Effect } from "effect"
import type { Address } from "../domain/Hash.ts"
import { type HintDomain, isSigned } from "../gossip/HintSignature.ts"
import { type HintMessage, maxHintTime } from "../gossip/Messages.ts"
import type { Verdict } from "../gossip/ProofGossip.ts"

/** How far a prover's clock may be ahead of this node's, in milliseconds. */
const clockSkew = 10_000
/** A prover's hints are heard and passed on at most so often, in milliseconds: its bond is no licence to flood. */
export const leastHintPause = 250

/**
 * @param isRegistered whether a prover is registered on L1 now
 * @param listen hears each hint that counts, newest last
 */
export const makeHintJudge = (
  domain: HintDomain,
  isRegistered: (prover: Address) => boolean,
  listen: (hint: HintMessage) => Effect.Effect<void>
) => {
  /** When each prover's last hint was issued. */
  const heard = new Map<Address, number>()
  return Effect.fn("HintJudge.judge")(function*(hint: HintMessage): Effect.fn.Return<Verdict> {
    const now = yield* Clock.currentTimeMillis
    const { atoms, capacity, expiresAt, issuedAt, prover } = hint
    if (atoms.length > capacity || expiresAt <= issuedAt || expiresAt - issuedAt > maxHintTime) return "reject"
    if (issuedAt > now + clockSkew || expiresAt <= now) return "useless"
    // L1 may show its registration to this node a little later than to others.
    if (!isRegistered(prover)) return "useless"
    const last = heard.get(prover)
    // Hints overtake each other on the way. Of two of one moment, the first is heard: who says two things is believed one.
    if (last !== undefined && issuedAt < last + leastHintPause) return "ignore"
    if (!isSigned(domain, hint)) return "reject"
    heard.set(prover, issuedAt)
    yield* listen(hint)
    return "accept"
  })
}
