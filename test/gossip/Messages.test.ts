import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import { pad, recoverTypedDataAddress } from "viem"
import { BlockNumber } from "../../src/domain/Amount.ts"
import { HexBytes } from "../../src/domain/Hash.ts"
import { type HintDomain, isSigned, makeHintSigner } from "../../src/gossip/HintSignature.ts"
import { answers, fetchAfter, fetchBeyond, HintMessage, maxMessageBytes, messageCodec, proofMessage } from "../../src/gossip/Messages.ts"
import { prover, range } from "../domain/builders.ts"
import { flipBit } from "../proofs/fixture.ts"

const domain: HintDomain = { chainId: 31_337n, stateUpdate: prover(77) }
const signer = makeHintSigner(domain, Redacted.make(pad("0x2a", { size: 32 })))
const hint = signer.sign({
  capacity: 2,
  atoms: [{ from: BlockNumber.make(4), to: BlockNumber.make(5) }],
  issuedAt: 1_000,
  expiresAt: 31_000
})

describe("messages", () => {
  it("OC-1: come back from bytes as they were", () => {
    for (const message of [proofMessage(range(3, 7)), hint]) {
      assert.deepStrictEqual(messageCodec.decode(messageCodec.encode(message)), Result.succeed(message))
    }
  })

  it("OC-1: a proof of as many blocks as an update holds is no longer than a message may be", () => {
    const proof = range(0, 64)
    const whole = proofMessage(Object.assign(Object.create(Object.getPrototypeOf(proof)), proof, { bytes: `0x${"ab".repeat(64 * 256)}` }))
    assert.isBelow(messageCodec.encode(whole).length, maxMessageBytes / 2)
  })

  it("OC-1: what is too long is not parsed, whatever it holds", () => {
    const bytes = new Uint8Array(maxMessageBytes + 1).fill(0x20)
    bytes.set(messageCodec.encode(hint))
    assert.isTrue(Result.isFailure(messageCodec.decode(bytes)))
    assert.isTrue(Result.isSuccess(messageCodec.decode(bytes.subarray(0, maxMessageBytes))))
  })

  it("OC-1: only another version is nobody's fault", () => {
    const tagOf = (text: string) => {
      const decoded = messageCodec.decode(new TextEncoder().encode(text))
      return Result.isFailure(decoded) ? decoded.failure._tag : undefined
    }
    assert.strictEqual(tagOf(`{"version":2,"kind":"new"}`), "UnknownVersion")
    for (const text of ["", "{", "[]", "null", `{"version":"1"}`, `{"version":1}`, `{"version":1,"kind":"new"}`, "[".repeat(100_000)]) {
      assert.strictEqual(tagOf(text), "MalformedMessage", text.slice(0, 40))
    }
  })
})

describe("OC-3: a hint's signature", () => {
  it("OC-3: is the prover's, as any EIP-712 wallet makes it", async () => {
    assert.isTrue(isSigned(domain, hint))
    const { capacity, prover, signature } = hint
    const signedBy = await recoverTypedDataAddress({
      domain: { name: "lignum", version: "1", chainId: domain.chainId, verifyingContract: domain.stateUpdate },
      types: {
        Atom: [{ name: "from", type: "uint64" }, { name: "to", type: "uint64" }],
        Hint: [
          { name: "prover", type: "address" },
          { name: "capacity", type: "uint32" },
          { name: "atoms", type: "Atom[]" },
          { name: "issuedAt", type: "uint64" },
          { name: "expiresAt", type: "uint64" }
        ]
      },
      primaryType: "Hint",
      message: { prover, capacity, atoms: [{ from: 4n, to: 5n }], issuedAt: 1_000n, expiresAt: 31_000n },
      signature
    })
    assert.strictEqual(signedBy, prover)
  })

  it("OC-3: is good for these words, this prover, this contract and this chain alone", () => {
    const changed = (fields: Partial<HintMessage>) => new HintMessage({ ...hint, ...fields })
    assert.isFalse(isSigned({ ...domain, chainId: 1n }, hint))
    assert.isFalse(isSigned({ ...domain, stateUpdate: prover(78) }, hint))
    for (const fields of [{ prover: prover(1) }, { capacity: 3 }, { atoms: [] }, { issuedAt: 1_001 }, { expiresAt: 31_001 }]) {
      assert.isFalse(isSigned(domain, changed(fields)), JSON.stringify(fields))
    }
    for (let bit = 0; bit < 65 * 8; bit += 7) {
      assert.isFalse(isSigned(domain, changed({ signature: flipBit(hint.signature, bit) as HexBytes })), `bit ${bit}`)
    }
    for (const signature of ["0x", "0x00", `0x${"00".repeat(65)}`, `0x${"ff".repeat(65)}`]) {
      assert.isFalse(isSigned(domain, changed({ signature: signature as HexBytes })))
    }
  })
})

describe("OC-5: a request's place among proofs", () => {
  it("OC-5: each page begins behind the last proof of the one before", () => {
    const proofs = [range(0, 1), range(0, 2), range(1, 2), range(1, 3)]
      .sort((left, right) => left.statement.to.number - right.statement.to.number || (left.id < right.id ? -1 : 1))
    let place = fetchBeyond(BlockNumber.make(0))
    for (const [i, proof] of proofs.entries()) {
      assert.deepStrictEqual(proofs.filter((each) => answers(place, each)), proofs.slice(i))
      place = fetchAfter(proof)
    }
    assert.deepStrictEqual(proofs.filter((each) => answers(place, each)), [])
    assert.deepStrictEqual(proofs.filter((each) => answers(fetchBeyond(BlockNumber.make(1)), each)).length, 3)
  })
})
