import { assert, describe, it } from "@effect/vitest"
import { readWitness } from "./ConstraintSystem.ts"
import { type Header, headerFields, headerHash, Ledger, parentOf } from "./LedgerOracle.ts"
import { computeWitness, refusal } from "./Witness.ts"

const MAX_HEADERS = 8

/** `count` headers after a first block, each the child of the one before. */
const chain = (count: number): ReadonlyArray<Header> => {
  const headers = [parentOf(new Ledger(), { number: 41n })]
  while (headers.length <= count) {
    const parent = headers[headers.length - 1]!
    headers.push({ ...parent, parentHash: headerHash(parent), number: parent.number + 1n, timestamp: parent.timestamp + 12n })
  }
  return headers
}

const zeros = Array.from({ length: 9 }, () => 0n)

const inputsOf = ([end, ...headers]: ReadonlyArray<Header>) => ({
  endHash: headerHash(end!),
  checkpointHash: headerHash(headers[headers.length - 1] ?? end!),
  active: Array.from({ length: MAX_HEADERS }, (_, i) => BigInt(i < headers.length)),
  headers: Array.from({ length: MAX_HEADERS }, (_, i) => (headers[i] === undefined ? zeros : headerFields(headers[i])))
})

const refuses = async (line: string, inputs: ReturnType<typeof inputsOf>) => {
  const lines = await refusal("ancestry", inputs)
  assert.include(lines, line, `refused elsewhere: ${lines.join(" < ")}`)
}

const link = "active[i] * (headers[i][HEADER_PARENT_HASH()] - reached[i]) === 0;"
const arrival = "checkpointHash === reached[maxHeaders];"

describe("ST-2: ancestry", () => {
  for (const length of [1, 2, 7, 8]) {
    it(`takes a chain of ${length}`, async () => {
      const headers = chain(length)
      const witness = readWitness(await computeWitness("ancestry", inputsOf(headers)))
      assert.deepStrictEqual(witness.slice(0, 3), [1n, headerHash(headers[0]!), headerHash(headers[length]!)])
    })
  }

  it("refuses a gap", () => {
    const [end, first, , third] = chain(3)
    return refuses(link, inputsOf([end!, first!, third!]))
  })

  it("refuses another start", () => refuses(link, { ...inputsOf(chain(3)), endHash: 1n }))

  it("refuses another arrival", () => refuses(arrival, { ...inputsOf(chain(3)), checkpointHash: 1n }))

  it("refuses a checkpoint that was passed on the way", () => {
    const headers = chain(3)
    return refuses(arrival, { ...inputsOf(headers), checkpointHash: headerHash(headers[2]!) })
  })

  it("refuses a header that hashes to something else than its child says", () => {
    const [end, first, second] = chain(2)
    return refuses(link, inputsOf([end!, { ...first!, stateRoot: 1n }, second!]))
  })

  it("refuses no headers at all, by which anything descends from itself", () =>
    refuses("active[0] === 1;", inputsOf(chain(0))))

  it("refuses a header in use after an unused one", () => {
    const headers = chain(2)
    const inputs = inputsOf(headers)
    return refuses("active[i] * (1 - active[i - 1]) === 0;", {
      ...inputs,
      active: [1n, 0n, 1n, 0n, 0n, 0n, 0n, 0n],
      headers: [inputs.headers[0]!, zeros, inputs.headers[1]!, ...inputs.headers.slice(3)]
    })
  })

  it("refuses a header that is in use by halves", () =>
    refuses("active[i] * (active[i] - 1) === 0;", { ...inputsOf(chain(2)), active: [1n, 2n, 0n, 0n, 0n, 0n, 0n, 0n] }))
})
