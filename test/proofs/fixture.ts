/** Blocks and proofs that the tests of the proof system share. */
import { Context, Effect, Layer } from "effect"
import { fullBlocks } from "../../bench/Blocks.ts"
import type { HexBytes } from "../../src/domain/Hash.ts"
import { toAddress } from "../../src/domain/Hash.ts"
import { Proof, type Statement } from "../../src/domain/Proof.ts"
import { loadKeys } from "../../src/proofs/CircuitKeys.ts"
import * as Groth16 from "../../src/proofs/Groth16.ts"
import { type OnProgress, ProofSystem } from "../../src/proofs/ProofSystem.ts"

export const alice = toAddress("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")
export const bob = toAddress("0x70997970c51812dc3a010c7d01b50e0d17dc79c8")

export const chain = fullBlocks("test", 10)
export const witnesses = chain.blocks.map(({ witness }) => witness)
export const headers = [chain.genesis, ...chain.blocks.map(({ block }) => block.header)]

/** Hears nothing. */
export const quiet: OnProgress = () => Effect.void

/** The devnet's proof system. */
export const groth16 = (options: Omit<Groth16.Groth16Options, "keys">) =>
  Layer.unwrap(Effect.map(loadKeys(), (keys) => Groth16.layer({ keys, ...options })))

/** Proofs of blocks 1 (alice), 2 (bob) and 3 (alice), and what was heard while the first was made. */
export class Proved extends Context.Service<Proved, {
  readonly proofs: readonly [Proof, Proof, Proof]
  readonly progress: ReadonlyArray<{ readonly fraction: number; readonly stage: string }>
}>()("test/Proved") {
  static readonly layer = Layer.effect(Proved, Effect.gen(function*() {
    const { proveBlock } = yield* ProofSystem
    const progress: Array<{ readonly fraction: number; readonly stage: string }> = []
    const proofs = yield* Effect.all([
      proveBlock(witnesses[0]!, alice, (step) => Effect.sync(() => progress.push(step))),
      proveBlock(witnesses[1]!, bob, quiet),
      proveBlock(witnesses[2]!, alice, quiet)
    ], { concurrency: "unbounded" })
    return Proved.of({ proofs, progress })
  }))
}

/** A proof with other bytes. */
export const withBytes = (proof: Proof, bytes: string) => new Proof({ ...proof, bytes: bytes as HexBytes })

/** A proof with another statement. */
export const withStatement = (proof: Proof, statement: Statement) => new Proof({ ...proof, statement })

/** The hex text with one bit turned, counted from the front. */
export const flipBit = (hex: string, bit: number): string => {
  const at = 2 + Math.floor(bit / 4)
  const digit = (parseInt(hex[at]!, 16) ^ (8 >> (bit % 4))).toString(16)
  return hex.slice(0, at) + digit + hex.slice(at + 1)
}
