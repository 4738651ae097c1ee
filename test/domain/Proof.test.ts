import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { BlockNumber, ProverGas, Wei } from "../../src/domain/Amount.ts"
import { BlockRef } from "../../src/domain/Block.ts"
import { BlockHash, toAddress, toHex32 } from "../../src/domain/Hash.ts"
import { concatStatements, Leaf, Proof, Statement } from "../../src/domain/Proof.ts"

const hash = (n: number) => BlockHash.make(toHex32(BigInt(n)))
const ref = (n: number) => new BlockRef({ number: BlockNumber.make(n), hash: hash(n) })
const leaf = (n: number, fees = 3n) =>
  new Leaf({ blockHash: hash(n), prover: toAddress(`0x${"1".repeat(40)}`), proverFees: Wei.make(fees), proverGas: ProverGas.make(16_000n) })
const statement = (from: number, first: Leaf, ...rest: ReadonlyArray<Leaf>) => new Statement({ from: ref(from), leaves: [first, ...rest] })

describe("a statement", () => {
  const two = statement(4, leaf(5), leaf(6))

  it("knows its end, its fees and its gas", () => {
    assert.deepStrictEqual(two.to, ref(6))
    assert.strictEqual(two.proverFees, 6n)
    assert.strictEqual(two.proverGas, 32_000n)
  })

  it("joins the one that starts where it ends, and no other", () => {
    const joined = Option.getOrThrow(concatStatements(two, statement(6, leaf(7))))
    assert.deepStrictEqual([joined.from, joined.to], [ref(4), ref(7)])
    assert.isTrue(Option.isNone(concatStatements(two, statement(7, leaf(8)))))
    assert.isTrue(Option.isNone(concatStatements(statement(6, leaf(7)), two)))
    const fork = new Statement({ from: new BlockRef({ number: BlockNumber.make(6), hash: hash(99) }), leaves: [leaf(7)] })
    assert.isTrue(Option.isNone(concatStatements(two, fork)), "the same height on another chain")
  })

  it("is never empty", () => {
    assert.throws(() => Schema.decodeUnknownSync(Statement)({ from: { number: 4, hash: hash(4) }, leaves: [] }))
  })
})

it("a proof's id names its whole content", () => {
  const id = (of: Statement, bytes: `0x${string}`) => new Proof({ statement: of, system: "groth16", bytes }).id
  const base = statement(4, leaf(5))
  const others = [
    id(base, "0x02"),
    id(statement(3, leaf(5)), "0x01"),
    id(statement(4, leaf(6)), "0x01"),
    id(statement(4, leaf(5, 4n)), "0x01"),
    id(statement(4, leaf(5), leaf(6)), "0x01"),
    id(statement(4, new Leaf({ ...leaf(5), prover: toAddress(`0x${"2".repeat(40)}`) })), "0x01"),
    id(statement(4, new Leaf({ ...leaf(5), proverGas: ProverGas.make(1n) })), "0x01")
  ]
  assert.strictEqual(id(base, "0x01"), id(statement(4, leaf(5)), "0x01"))
  assert.strictEqual(new Set([id(base, "0x01"), ...others]).size, others.length + 1)
})
