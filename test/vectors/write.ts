/**
 * Writes `exponential.json`: `node test/vectors/write.ts`. The numbers follow from the seed, so that writing them again changes
 * nothing unless the algorithm did.
 */
import { writeFileSync } from "node:fs"
import { integerExponential, priceAt, PriceRule } from "../../src/domain/ProverPrice.ts"
import { ProverGas, ProverPrice } from "../../src/domain/Amount.ts"
import { devnetPriceRule } from "../../src/ledger/DevnetLedgerConfig.ts"
import { seededRandom } from "../../src/ledger/SeededRandom.ts"

const random = seededRandom("lignum", "exponential vectors")
const bits = () => random.below(1n << BigInt(1 + random.integer(56)))
const highestFloor = (1n << 64n) - 1n
const largestFraction = (1n << 56n) - 1n

/** What L1 clients test their `fake_exponential` of EIP-4844 with. */
const published = [
  [1n, 0n, 1n],
  [38_493n, 0n, 1_000n],
  [0n, 1_234n, 2_345n],
  [1n, 2n, 1n],
  [1n, 4n, 2n],
  [1n, 3n, 1n],
  [1n, 6n, 2n],
  [1n, 4n, 1n],
  [1n, 8n, 2n],
  [10n, 8n, 2n],
  [11n, 8n, 2n],
  [1n, 5n, 1n],
  [1n, 5n, 2n],
  [2n, 5n, 2n],
  [1n, 50_000_000n, 2_225_652n]
]

const exponential = [
  ...published,
  // The largest operands of the price rule.
  [highestFloor, 45n * largestFraction, largestFraction],
  [highestFloor, 0n, largestFraction],
  [highestFloor, 45n, 1n],
  [1n, 45n * largestFraction, largestFraction],
  ...Array.from({ length: 120 }, () => {
    const denominator = bits() + 1n
    return [random.below(1n << BigInt(1 + random.integer(64))), random.below(45n * denominator + 1n), denominator]
  })
].map(([factor, numerator, denominator]) => ({
  factor: String(factor),
  numerator: String(numerator),
  denominator: String(denominator),
  result: String(integerExponential(factor!, numerator!, denominator!))
}))

const excesses = (fraction: bigint) => [0n, 1n, fraction, 45n * fraction, 45n * fraction + 1n, 1n << 200n, ...Array.from({ length: 10 }, () => random.below(30n * fraction + 1n))]

const price = [devnetPriceRule.floor, 0n, 1n, highestFloor, random.below(1n << 40n)].flatMap((floor, i) => {
  const fraction = i === 0 ? devnetPriceRule.fraction : bits() + 1n
  const rule = new PriceRule({ ...devnetPriceRule, floor: ProverPrice.make(floor), fraction: ProverGas.make(fraction) })
  return excesses(fraction).map((excess) => ({
    floor: String(floor),
    fraction: String(fraction),
    excess: String(excess),
    price: String(priceAt(rule, excess))
  }))
})

writeFileSync(new URL("exponential.json", import.meta.url), `${JSON.stringify({ exponential, price }, undefined, 1)}\n`)
