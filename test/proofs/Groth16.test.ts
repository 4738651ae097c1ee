import { assert, layer, vi } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { Account } from "../../src/domain/Account.ts"
import { Wei } from "../../src/domain/Amount.ts"
import { Block, BlockRef, Header } from "../../src/domain/Block.ts"
import { BlockWitness, LeafWitness, TransferWitness } from "../../src/domain/BlockWitness.ts"
import { toHex32 } from "../../src/domain/Hash.ts"
import { AncestryProof, Leaf, type Proof, Statement } from "../../src/domain/Proof.ts"
import { baseFieldOrder } from "../../src/proofs/Groth16Encoding.ts"
import { type ProofInvalid, ProofSystem, type ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import { alice, bob, flipBit, groth16, headers, Proved, quiet, withBytes, withStatement, witnesses } from "./fixture.ts"
import { exited, startedWorkers } from "./workers.ts"

// Real threads and real proofs: minutes on a machine that does other things as well.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const refused = (proof: Proof, reason: RegExp = /./) =>
  Effect.gen(function*() {
    const { verify } = yield* ProofSystem
    const error: ProofInvalid = yield* Effect.flip(verify(proof))
    assert.strictEqual(error._tag, "ProofInvalid")
    assert.match(error.reason, reason)
  })

const failed = (error: ProvingFailed, expected: { readonly subject: RegExp; readonly reason: RegExp; readonly retry: boolean }) => {
  assert.match(error.subject, expected.subject)
  assert.match(error.reason, expected.reason)
  assert.strictEqual(error.retry, expected.retry)
}

const word = (hex: string, index: number) => BigInt(`0x${hex.slice(2 + 64 * index, 66 + 64 * index)}`)
const withWord = (hex: string, index: number, value: bigint) => hex.slice(0, 2 + 64 * index) + toHex32(value).slice(2) + hex.slice(66 + 64 * index)

const changedLeaf = ({ statement }: Proof, change: Partial<Leaf>) =>
  new Statement({ from: statement.from, leaves: [new Leaf({ ...statement.leaves[0], ...change })] })

layer(Proved.layer.pipe(Layer.provideMerge(groth16({ workers: 2 }))), { excludeTestServices: true, timeout: "4 minutes" })("Groth16", (it) => {
  it.effect("a block's proof states its place in the chain, its prover and its pot", () =>
    Effect.gen(function*() {
      const { proofs: [proof] } = yield* Proved
      const { header } = witnesses[0]!.block
      assert.strictEqual(proof.statement.from.hash, headers[0]!.hash)
      assert.strictEqual(proof.statement.to.hash, header.hash)
      assert.deepStrictEqual(
        { ...proof.statement.leaves[0] },
        { blockHash: header.hash, prover: alice, proverFees: header.proverFees, proverGas: header.proverGasUsed }
      )
      assert.lengthOf(proof.bytes, 2 + 512)
      yield* (yield* ProofSystem).verify(proof)
    }))

  it.effect("progress never falls and ends at 1", () =>
    Effect.gen(function*() {
      const { progress } = yield* Proved
      const fractions = progress.map(({ fraction }) => fraction)
      assert.deepStrictEqual(fractions, [...fractions].sort((a, b) => a - b))
      assert.strictEqual(fractions[0], 0)
      assert.deepStrictEqual(progress.at(-1), { fraction: 1, stage: "done" })
      assert.isAbove(new Set(progress.map(({ stage }) => stage)).size, 8)
    }))

  it.effect("OC-1: a proof with one bit turned is refused, wherever it is", () =>
    Effect.gen(function*() {
      const { proofs: [proof] } = yield* Proved
      // The first, an inner and the last bit of each of the eight words.
      for (let start = 0; start < 2048; start += 256) {
        for (const bit of [start, start + 100, start + 255]) yield* refused(withBytes(proof, flipBit(proof.bytes, bit)))
      }
    }))

  it.effect("OC-1: coordinates must be canonical, and points neither negated nor at infinity", () =>
    Effect.gen(function*() {
      const { proofs: [{ bytes }, proof] } = yield* Proved
      for (let index = 0; index < 8; index++) {
        const raised = word(proof.bytes, index) + baseFieldOrder
        yield* refused(withBytes(proof, withWord(proof.bytes, index, raised)), /field's order/)
      }
      yield* refused(withBytes(proof, withWord(proof.bytes, 1, baseFieldOrder - word(proof.bytes, 1))), /equation/)
      yield* refused(withBytes(proof, withWord(withWord(proof.bytes, 0, 0n), 1, 0n)), /infinity/)
      yield* refused(withBytes(proof, `0x${"00".repeat(256)}`), /infinity/)
      yield* refused(withBytes(proof, bytes), /equation/)
    }))

  it.effect("OC-1: a proof over another prover's name, other fees or other gas is refused", () =>
    Effect.gen(function*() {
      const { proofs: [proof] } = yield* Proved
      const [{ proverFees, proverGas }] = proof.statement.leaves
      yield* refused(withStatement(proof, changedLeaf(proof, { prover: bob })), /equation/)
      yield* refused(withStatement(proof, changedLeaf(proof, { proverFees: Wei.make(proverFees + 1n) })), /equation/)
      yield* refused(withStatement(proof, changedLeaf(proof, { proverGas: (proverGas + 1n) as typeof proverGas })), /equation/)
    }))

  it.effect("OC-1: a foreign parent, swapped leaves and a wrong length are refused", () =>
    Effect.gen(function*() {
      const { merge } = yield* ProofSystem
      const { proofs: [first, second] } = yield* Proved
      const foreign = new BlockRef({ number: first.statement.from.number, hash: headers[5]!.hash })
      yield* refused(withStatement(first, new Statement({ ...first.statement, from: foreign })), /equation/)

      const both = yield* merge(first, second)
      const [a, b] = [first.bytes.slice(2), second.bytes.slice(2)]
      yield* refused(withBytes(both, `0x${b}${a}`), /equation/)
      const [leafA, leafB] = both.statement.leaves
      yield* refused(withStatement(both, new Statement({ from: both.statement.from, leaves: [leafB!, leafA] })), /equation/)

      for (const bytes of ["0x", `0x${a}`, `0x${a}${b}${b}`, `0x${a}${b.slice(2)}`]) yield* refused(withBytes(both, bytes), /2 proofs take 512 bytes/)
    }))

  it.effect("merging is associative, and a bundle verifies", () =>
    Effect.gen(function*() {
      const { merge, verify } = yield* ProofSystem
      const { proofs: [a, b, c] } = yield* Proved
      const left = yield* merge(yield* merge(a, b), c)
      const right = yield* merge(a, yield* merge(b, c))
      assert.strictEqual(left.id, right.id)
      assert.deepStrictEqual(left.statement.leaves.map(({ prover }) => prover), [alice, bob, alice])
      assert.strictEqual(left.statement.to.hash, headers[3]!.hash)
      yield* verify(left)
    }))

  it.effect("merging refuses what does not follow, and what does not verify", () =>
    Effect.gen(function*() {
      const { merge } = yield* ProofSystem
      const { proofs: [a, b, c] } = yield* Proved
      for (const [left, right] of [[a, c], [b, a], [a, a]] as const) {
        failed(yield* Effect.flip(merge(left, right)), { subject: /merge/, reason: /does not start where/, retry: false })
      }
      const forged = withBytes(b, flipBit(b.bytes, 255))
      failed(yield* Effect.flip(merge(a, forged)), { subject: /merge/, reason: /not valid/, retry: false })
    }))

  it.effect("ND-4: a witness that does not satisfy the circuit fails for good and names the block", () =>
    Effect.gen(function*() {
      const { proveBlock } = yield* ProofSystem
      const witness = witnesses[3]!
      const [transfer, ...others] = witness.transfers
      const richer = (leaf: LeafWitness) =>
        new LeafWitness({ ...leaf, account: new Account({ ...leaf.account!, balance: Wei.make(leaf.account!.balance + 1n) }) })
      const forged = new BlockWitness({
        ...witness,
        transfers: [new TransferWitness({ ...transfer!, sender: richer(transfer!.sender) }), ...others]
      })
      failed(yield* Effect.flip(proveBlock(forged, alice, quiet)), { subject: /^block 4$/, reason: /constraint does not hold/, retry: false })

      const { header } = witness.block
      const generous = new Block({ ...witness.block, header: new Header({ ...header, proverFees: Wei.make(header.proverFees + 1n) }) })
      failed(yield* Effect.flip(proveBlock(new BlockWitness({ ...witness, block: generous }), alice, quiet)), {
        subject: /^block 4$/,
        reason: /constraint does not hold/,
        retry: false
      })
    }))

  it.effect("ND-4: a block that does not fit the circuit fails for good and says why", () =>
    Effect.gen(function*() {
      const { proveBlock } = yield* ProofSystem
      const witness = witnesses[3]!
      const { transfers } = witness.block
      const crowded = new BlockWitness({ ...witness, block: new Block({ ...witness.block, transfers: [...transfers, ...transfers] }) })
      failed(yield* Effect.flip(proveBlock(crowded, alice, quiet)), { subject: /^block 4$/, reason: /4 transfers, the circuit takes 2/, retry: false })
      const partial = new BlockWitness({ ...witness, transfers: witness.transfers.slice(1) })
      failed(yield* Effect.flip(proveBlock(partial, alice, quiet)), { subject: /^block 4$/, reason: /covers 1 of 2/, retry: false })
      const [{ recipient, sender }] = witness.transfers as [TransferWitness]
      const short = new LeafWitness({ ...sender, siblings: sender.siblings.slice(1) })
      const shallow = new BlockWitness({ ...witness, transfers: [new TransferWitness({ recipient, sender: short }), ...witness.transfers.slice(1)] })
      failed(yield* Effect.flip(proveBlock(shallow, alice, quiet)), { subject: /^block 4$/, reason: /7 siblings/, retry: false })
    }))

  it.effect("ST-2: ancestry over more headers than one proof spans takes several links; others' claims are refused", () =>
    Effect.gen(function*() {
      const { proveAncestry, verifyAncestry } = yield* ProofSystem
      const fractions: Array<number> = []
      const proof = yield* proveAncestry(headers, ({ fraction }) => Effect.sync(() => fractions.push(fraction)))
      assert.deepStrictEqual(fractions, [...fractions].sort((a, b) => a - b))
      assert.strictEqual(fractions.at(-1), 1)
      assert.strictEqual(proof.end, headers[0]!.hash)
      assert.deepStrictEqual(proof.via, [headers[8]!.hash])
      assert.strictEqual(proof.checkpointBlock, headers[10]!.hash)
      yield* verifyAncestry(proof)

      for (const wrong of [
        { end: headers[1]!.hash },
        { checkpointBlock: headers[9]!.hash },
        { via: [headers[7]!.hash] },
        { via: [] },
        { bytes: flipBit(proof.bytes, 511) as typeof proof.bytes }
      ]) {
        const error = yield* Effect.flip(verifyAncestry(new AncestryProof({ ...proof, ...wrong })))
        assert.strictEqual(error._tag, "ProofInvalid")
      }
    }))

  it.effect("ST-2: headers that are no chain are not proven", () =>
    Effect.gen(function*() {
      const { proveAncestry } = yield* ProofSystem
      failed(yield* Effect.flip(proveAncestry([headers[0]!], quiet)), { subject: /ancestry/, reason: /needs no proof/, retry: false })
      failed(yield* Effect.flip(proveAncestry([], quiet)), { subject: /ancestry/, reason: /needs no proof/, retry: false })
      failed(yield* Effect.flip(proveAncestry([headers[0]!, headers[2]!], quiet)), { subject: /ancestry/, reason: /parent/, retry: false })
    }))
})

layer(groth16({ workers: 1 }), { excludeTestServices: true, timeout: "4 minutes" })("Groth16 with one worker", (it) => {
  /** Starts a proof and waits until its worker computes. */
  const proving = Effect.gen(function*() {
    const { proveBlock } = yield* ProofSystem
    const computing = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkScoped(proveBlock(witnesses[0]!, alice, ({ fraction }) =>
      fraction > 0 ? Deferred.succeed(computing, undefined) : Effect.void))
    yield* Deferred.await(computing)
    return fiber
  })

  it.effect("OC-4: an interrupted proof frees its worker at once, and the next proof succeeds", () =>
    Effect.gen(function*() {
      const { proveAncestry, verifyAncestry } = yield* ProofSystem
      const fiber = yield* proving
      const replacements = yield* startedWorkers
      yield* Fiber.interrupt(fiber)
      const proof = yield* proveAncestry(headers.slice(0, 2), quiet)
      assert.lengthOf(replacements, 1)
      yield* verifyAncestry(proof)
    }))

  it.effect("a worker that dies fails its own proof only, which may be tried again", () =>
    Effect.gen(function*() {
      const { proveAncestry } = yield* ProofSystem
      // The worker of this proof is the one that replaces the first, which is killed here for that.
      const first = yield* proving
      const started = yield* startedWorkers
      yield* Fiber.interrupt(first)
      const second = yield* proving
      const waiting = yield* Effect.forkScoped(proveAncestry(headers.slice(0, 2), quiet))
      yield* Effect.promise(() => started[0]!.terminate())
      yield* exited(started[0]!)
      failed(yield* Effect.flip(Fiber.join(second)), { subject: /^block 1$/, reason: /worker exited/, retry: true })
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(waiting)))
    }))
})
