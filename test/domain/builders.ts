/** Small statements and proofs that the tests of pure rules share; their bytes mean nothing. */
import { BlockNumber, ProverGas, Wei } from "../../src/domain/Amount.ts"
import { BlockRef } from "../../src/domain/Block.ts"
import { Checkpoint } from "../../src/domain/Checkpoint.ts"
import { BlockHash, CheckpointId, StateRoot, toAddress, toHex32 } from "../../src/domain/Hash.ts"
import { Leaf, Proof, Statement } from "../../src/domain/Proof.ts"

/** The block at a height of a chain that a test makes up. */
export const ref = (number: number, fork = 0) =>
  new BlockRef({ number: BlockNumber.make(number), hash: BlockHash.make(toHex32(BigInt(number) + (BigInt(fork) << 64n))) })

export const prover = (n: number) => toAddress(`0x${n.toString(16).padStart(40, "0")}`)

/** A proof of the blocks behind `from` up to `to`, told from others by its tag. */
export const range = (from: number, to: number, tag = 0, proverGas = 16_000n) => {
  const leaves = Array.from({ length: to - from }, (_, i) =>
    new Leaf({
      blockHash: ref(from + 1 + i).hash,
      prover: prover(1 + tag),
      proverFees: Wei.make(1_000n),
      proverGas: ProverGas.make(proverGas)
    }))
  const [first, ...rest] = leaves
  return new Proof({
    statement: new Statement({ from: ref(from), leaves: [first!, ...rest] }),
    system: "groth16",
    bytes: `0x${tag.toString(16).padStart(4, "0")}`
  })
}

/** A checkpoint of a block of the same chain. */
export const checkpoint = (number: number) =>
  new Checkpoint({
    parent: CheckpointId.make(toHex32(0n)),
    number: BlockNumber.make(number),
    blockHash: ref(number).hash,
    stateRoot: StateRoot.make(toHex32(BigInt(number)))
  })
