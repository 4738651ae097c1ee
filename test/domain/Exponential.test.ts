import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import vectors from "../vectors/exponential.json" with { type: "json" }
import { ProverGas, ProverPrice } from "../../src/domain/Amount.ts"
import { integerExponential, priceAt, PriceRule } from "../../src/domain/ProverPrice.ts"
import { devnetPriceRule } from "../../src/ledger/DevnetLedgerConfig.ts"

const between = (minimum: bigint, maximum: bigint) => Schema.BigInt.check(Schema.isBetweenBigInt({ minimum, maximum }))
const Factor = between(0n, (1n << 64n) - 1n)
const Denominator = between(1n, (1n << 56n) - 1n)
/** Numerators as 2^-20 parts of the denominator, so that exponents spread over 0 to 45. */
const Exponent = between(0n, 45n << 20n)

/** The algorithm again, with its number of terms and the largest value on the way. */
const traced = (factor: bigint, numerator: bigint, denominator: bigint) => {
  let [term, sum, terms, largest] = [factor * denominator, 0n, 0n, factor * denominator]
  while (term > 0n) {
    sum += term
    terms++
    const product = term * numerator
    for (const value of [sum, product]) if (value > largest) largest = value
    term = product / (denominator * terms)
  }
  return { result: sum / denominator, terms, largest }
}

/**
 * Rationals around e^(n/d): the series up to x^m/m! from below, and the same plus twice the next term from above, which is right
 * when m + 2 is at least 2x. No exponent of the rule takes the integer series beyond term m.
 */
const exactBounds = (numerator: bigint, denominator: bigint) => {
  const m = 256n
  let [sum, term] = [1n, 1n]
  let scale = 1n
  for (let i = 1n; i <= m; i++) {
    sum = sum * denominator * i
    term = term * numerator
    scale = scale * denominator * i
    sum += term
  }
  const next = 2n * term * numerator
  return { below: [sum, scale] as const, above: [sum * denominator * (m + 1n) + next, scale * denominator * (m + 1n)] as const }
}

describe("FM-2: the integer exponential", () => {
  it("gives the vectors that other implementations are held against", () => {
    assert.isAbove(vectors.exponential.length, 100)
    for (const { denominator, factor, numerator, result } of vectors.exponential) {
      assert.strictEqual(integerExponential(BigInt(factor), BigInt(numerator), BigInt(denominator)), BigInt(result), `${factor} ${numerator} ${denominator}`)
    }
    for (const { excess, floor, fraction, price } of vectors.price) {
      const rule = new PriceRule({ ...devnetPriceRule, floor: ProverPrice.make(BigInt(floor)), fraction: ProverGas.make(BigInt(fraction)) })
      assert.strictEqual(priceAt(rule, BigInt(excess)), BigInt(price), `${floor} ${fraction} ${excess}`)
    }
  })

  it("agrees with the clients of L1 on EIP-4844's", () => {
    const published = [1, 38_493, 0, 6, 6, 16, 18, 49, 50, 542, 596, 136, 11, 23, 5_709_098_764]
    assert.deepStrictEqual(vectors.exponential.slice(0, published.length).map(({ result }) => Number(result)), published)
  })

  it.prop("is never above the exact value, and below it by less than 1 + terms · e^x / denominator", [Factor, Denominator, Exponent], ([factor, denominator, exponent]) => {
    const numerator = (denominator * exponent) >> 20n
    const { result, terms } = traced(factor, numerator, denominator)
    assert.strictEqual(integerExponential(factor, numerator, denominator), result)
    const { above: [high, highScale], below: [low, lowScale] } = exactBounds(numerator, denominator)
    assert.isTrue(result * lowScale <= factor * low, "never above")
    // factor · e^x − result < 1 + terms · e^x / denominator, multiplied out.
    assert.isTrue(factor * high * denominator - result * denominator * highScale < denominator * highScale + terms * high, "never far below")
  })

  it.prop("is monotone in the factor and in the numerator, and takes no more than 250 bits on the way", [Factor, Factor, Denominator, Exponent, Exponent], ([a, b, denominator, x, y]) => {
    const [[few, many], [less, more]] = [a < b ? [a, b] : [b, a], x < y ? [x, y] : [y, x]]
    const at = (factor: bigint, exponent: bigint) => traced(factor, (denominator * exponent) >> 20n, denominator)
    assert.isTrue(at(few, less).result <= at(few, more).result)
    assert.isTrue(at(few, less).result <= at(many, less).result)
    assert.isTrue(at(many, more).largest < 1n << 250n)
  })

  it("fits 250 bits at the largest operands that a rule can have", () => {
    const denominator = (1n << 56n) - 1n
    const { largest, terms } = traced((1n << 64n) - 1n, 45n * denominator, denominator)
    assert.isTrue(largest < 1n << 250n)
    assert.isBelow(Number(terms), 256, "and ends soon")
  })
})
