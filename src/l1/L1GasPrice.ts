/**
 * What gas costs on L1, for quotes (FM-5).
 */
import { Effect, type Option } from "effect"
import { createPublicClient, http } from "viem"

/** Wei per gas, asked for every five seconds at most; none while L1 does not answer, for a quote must not wait for it. */
export const makeL1GasPrice = (url: string): Effect.Effect<Effect.Effect<Option.Option<bigint>>> => {
  const client = createPublicClient({ transport: http(url, { retryCount: 0, timeout: 2_000 }), cacheTime: 0 })
  return Effect.cachedWithTTL(Effect.option(Effect.tryPromise(() => client.getGasPrice())), "5 seconds")
}
