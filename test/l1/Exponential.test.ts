/**
 * The exponential of the price rule and of decay, on a chain: equal to the node's, bit for bit.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { createPublicClient, createWalletClient, http, parseAbi } from "viem"
import { anvil } from "viem/chains"
import { l1Accounts } from "../../src/devnet/Chain.ts"
import { integerExponential } from "../../src/domain/ProverPrice.ts"
import * as Anvil from "../../src/l1/Anvil.ts"
import { seededRandom } from "../../src/ledger/SeededRandom.ts"
import { compile } from "../differential/Compile.ts"
import vectors from "../vectors/exponential.json" with { type: "json" }

type Operands = readonly [factor: bigint, numerator: bigint, denominator: bigint]

const abi = parseAbi([
  "function calculate(uint256 factor, uint256 numerator, uint256 denominator) pure returns (uint256)",
  "function calculateAll(uint256[3][] operands) pure returns (uint256[] results)"
])
class OnChain extends Context.Service<OnChain, { readonly calculateAll: (operands: ReadonlyArray<Operands>) => Effect.Effect<ReadonlyArray<bigint>> }>()("test/OnChain") {}

const chain = Layer.effect(OnChain, Effect.gen(function*() {
  const { url } = yield* Anvil.start({ port: 0, chainId: anvil.id })
  // Compiled as for a deployment.
  const { bytecode } = compile("contracts/test/Calculator.sol").Calculator!
  const wallet = createWalletClient({ account: l1Accounts.sequencer, chain: anvil, transport: http(url) })
  const client = createPublicClient({ chain: anvil, transport: http(url), pollingInterval: 20 })
  const { contractAddress } = yield* Effect.promise(async () => client.waitForTransactionReceipt({ hash: await wallet.deployContract({ abi, bytecode }) }))
  return OnChain.of({
    calculateAll: (operands) =>
      Effect.promise(() => client.readContract({ address: contractAddress!, abi, functionName: "calculateAll", args: [operands] }))
  })
}))

const assertEqual = Effect.fnUntraced(function*(all: ReadonlyArray<Operands>) {
  const { calculateAll } = yield* OnChain
  for (let i = 0; i < all.length; i += 250) {
    const batch = all.slice(i, i + 250)
    const results = yield* calculateAll(batch)
    for (const [j, operands] of batch.entries()) assert.strictEqual(results[j], integerExponential(...operands), operands.join(" "))
  }
})

layer(Layer.provideMerge(chain, NodeServices.layer), { excludeTestServices: true, timeout: "2 minutes" })("FM-2, FM-3: the exponential on L1 and in a node", (it) => {
  it.effect("agree on the published vectors", () =>
    assertEqual(vectors.exponential.map(({ denominator, factor, numerator }) => [BigInt(factor), BigInt(numerator), BigInt(denominator)])))

  it.effect("agree on operands of every size that a price rule can have", () => {
    const random = seededRandom("exponential", process.env.LIGNUM_TEST_SEED ?? "1")
    return assertEqual(Array.from({ length: 1_500 }, (): Operands => {
      const denominator = random.below(1n << BigInt(1 + random.integer(56))) + 1n
      // Up to the exponent 45 in every order of magnitude, with the ends among them.
      const numerator = random.integer(20) === 0 ? 45n * denominator : random.below((45n * denominator >> BigInt(random.integer(24))) + 1n)
      return [random.below(1n << BigInt(1 + random.integer(64))), numerator, denominator]
    }))
  })

  it.effect("agree on the decay of reputation within a half-life, second by second and for all half-lives", () => {
    const random = seededRandom("decay", process.env.LIGNUM_TEST_SEED ?? "1")
    const week = Array.from({ length: 500 }, (_, i): Operands => [10n ** 9n, BigInt(Math.floor(i * 604_800 / 500)) * 693_147n / 604_800n, 10n ** 6n])
    const others = Array.from({ length: 500 }, (): Operands => [10n ** 9n, random.below(693_148n), 10n ** 6n])
    return assertEqual([...week, ...others])
  })
})
