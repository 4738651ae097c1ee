/**
 * What the node sums off-chain, the verifier on a real chain takes, and nothing else (ST-3).
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer, vi } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { concat, createPublicClient, http, size, slice } from "viem"
import { freshWorld } from "../../bench/L1World.ts"
import type { HexBytes } from "../../src/domain/Hash.ts"
import type { AncestryProof, Proof } from "../../src/domain/Proof.ts"
import { groth16BatchVerifierAbi } from "../../src/l1/abi.ts"
import { loadVerifyingKeys } from "../../src/proofs/CircuitKeys.ts"
import { ProofSystem } from "../../src/proofs/ProofSystem.ts"
import { verifyingKeysHash } from "../../src/proofs/VerifierKeys.ts"
import { flipBit, groth16, headers, Proved, quiet } from "./fixture.ts"

// Real threads and real proofs: minutes on a machine that does other things as well.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

interface Claim {
  readonly proof: Proof
  readonly ancestry: AncestryProof | undefined
}

/** A verifier on L1, block 1 with two links to block 10, and blocks 1 to 3 with one. */
class Scene extends Context.Service<Scene, {
  /** Whether the verifier takes the bytes for the claim. It answers false, or by an error, where a point is none. */
  readonly verify: (claim: Claim, bytes: HexBytes) => Effect.Effect<boolean>
  readonly keysHash: Effect.Effect<string>
  readonly one: Claim & { readonly ancestry: AncestryProof }
  readonly three: Claim & { readonly ancestry: AncestryProof }
}>()("test/Scene") {
  static readonly layer = Layer.effect(Scene, Effect.gen(function*() {
    const { merge, proveAncestry } = yield* ProofSystem
    const { proofs: [a, b, c] } = yield* Proved
    const [twoLinks, oneLink] = yield* Effect.all(
      [proveAncestry(headers.slice(1), quiet), proveAncestry(headers.slice(3), quiet)],
      { concurrency: "unbounded" }
    )
    assert.lengthOf(twoLinks.via, 1)
    const { deployment, url } = yield* freshWorld("aggregation", headers[0]!, 1)
    const client = createPublicClient({ transport: http(url) })
    const verifier = { address: deployment.groth16, abi: groth16BatchVerifierAbi } as const
    return Scene.of({
      keysHash: Effect.promise(() => client.readContract({ ...verifier, functionName: "verifyingKeysHash" })),
      verify: ({ ancestry, proof: { statement: { from, leaves } } }, bytes) => {
        const path = ancestry === undefined ? [] : [...ancestry.via, ancestry.checkpointBlock]
        return Effect.promise(() =>
          client.readContract({ ...verifier, functionName: "verify", args: [from.hash, leaves, [], path, bytes] }).catch((error: unknown) => {
            if (String(error).includes("ST3_PointInvalid")) return false
            throw error
          }))
      },
      one: { proof: a, ancestry: twoLinks },
      three: { proof: yield* merge(yield* merge(a, b), c), ancestry: oneLink }
    })
  }))
}

const services = Scene.layer.pipe(
  Layer.provideMerge(Proved.layer),
  Layer.provideMerge(groth16({ workers: 2 })),
  Layer.provideMerge(NodeServices.layer)
)

layer(services, { excludeTestServices: true, timeout: "5 minutes" })("proofs as L1 takes them", (it) => {
  it.effect("ST-3: 192 bytes a proof and 64 a circuit, and the verifier takes them", () =>
    Effect.gen(function*() {
      const { encodeForL1 } = yield* ProofSystem
      const { one, three, verify } = yield* Scene
      for (const [{ ancestry, proof }, length] of [[one, 3 * 192 + 128], [three, 4 * 192 + 128]] as const) {
        const bytes = encodeForL1(proof, ancestry)
        assert.strictEqual(size(bytes), length)
        assert.isTrue(yield* verify({ proof, ancestry }, bytes))
        const alone = encodeForL1(proof, undefined)
        assert.strictEqual(size(alone), 192 * proof.statement.leaves.length + 64)
        assert.isTrue(yield* verify({ proof, ancestry: undefined }, alone))
      }
    }))

  it.effect("ST-3: a single proof is its own sum", () =>
    Effect.gen(function*() {
      const { encodeForL1 } = yield* ProofSystem
      const { one } = yield* Scene
      assert.strictEqual(encodeForL1(one.proof, undefined), one.proof.bytes)
    }))

  it.effect("ST-3: sums depend on the whole statement", () =>
    Effect.gen(function*() {
      const { encodeForL1 } = yield* ProofSystem
      const { three, verify } = yield* Scene
      const withAncestry = encodeForL1(three.proof, three.ancestry)
      const alone = encodeForL1(three.proof, undefined)
      const pairs = 192 * 3
      assert.strictEqual(slice(alone, 0, pairs), slice(withAncestry, 0, pairs))
      // The same proofs of the same blocks, summed for an update without ancestry, and for one with.
      const [blockC, ancestryC] = [slice(withAncestry, -128, -64), slice(withAncestry, -64)]
      assert.isFalse(yield* verify({ ...three, ancestry: undefined }, concat([slice(alone, 0, pairs), blockC])))
      assert.isFalse(yield* verify(three, concat([slice(withAncestry, 0, -128), slice(alone, pairs), ancestryC])))
    }))

  it.effect("ST-3: one bit turned anywhere, and sums in each other's place, are refused", () =>
    Effect.gen(function*() {
      const { encodeForL1 } = yield* ProofSystem
      const { three, verify } = yield* Scene
      const bytes = encodeForL1(three.proof, three.ancestry)
      for (let word = 0; word < size(bytes) / 32; word++) {
        assert.isFalse(yield* verify(three, flipBit(bytes, 256 * word + 255) as HexBytes), `word ${word}`)
      }
      assert.isFalse(yield* verify(three, concat([slice(bytes, 0, -128), slice(bytes, -64), slice(bytes, -128, -64)])))
    }))

  it.effect("ST-3: the hash of the verifying keys is the verifier's", () =>
    Effect.gen(function*() {
      const { keysHash } = yield* Scene
      assert.strictEqual(verifyingKeysHash(yield* loadVerifyingKeys()), yield* keysHash)
    }))
})
