/** Takes blocks of a real chain back. */
import { Effect } from "effect"
import { createTestClient, http } from "viem"

/**
 * Replaces the newest blocks by as many others.
 *
 * @param included signed transactions that the new blocks have, each with the place of its block among them; all others are
 *   gone, and not in the pool either
 */
export const reorg = (url: string, depth: number, included: ReadonlyArray<readonly [raw: `0x${string}`, block: number]> = []) =>
  Effect.promise(() =>
    createTestClient({ mode: "anvil", transport: http(url) }).request({ method: "anvil_reorg" as never, params: [depth, included] as never })
  )
