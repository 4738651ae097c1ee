/**
 * Which circuits there are, and the sizes they can be built for.
 */
import { Schema } from "effect"

const wholeBetween = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** The circuits that settlement needs: one proves a block, one that a block descends from another (ST-2). */
export const CircuitName = Schema.Literals(["block", "ancestry"])
export type CircuitName = typeof CircuitName.Type

/** Every circuit, in the order in which they are built and listed. */
export const circuitNames: ReadonlyArray<CircuitName> = ["block", "ancestry"]

/**
 * Size and constants of the block circuit. A transfer costs about 14,600 constraints at depth 8, and 1,060 more with every
 * further level; keys and proving time grow with the next power of two.
 */
export const BlockParameters = Schema.Struct({
  /** Transfers that a block can hold; a power of two. */
  slots: wholeBetween(1, 1024).check(
    Schema.makeFilter((slots: number) => Number.isInteger(Math.log2(slots)) || "a power of two")
  ),
  /** Levels of the account tree: it has room for 2^depth accounts. */
  depth: wholeBetween(1, 32),
  /** The L2 chain that transfers are signed for. */
  chainId: Schema.BigIntFromString.check(
    Schema.isGreaterThanOrEqualToBigInt(0n),
    Schema.isLessThanBigInt(1n << 64n)
  ),
  /** Prover gas of one transfer (FM-1). */
  transferGas: wholeBetween(1, 2 ** 32)
}).check(
  Schema.makeFilter(({ slots, transferGas }: { readonly slots: number; readonly transferGas: number }) =>
    slots * transferGas <= 2 ** 32 || "slots and transferGas whose product is at most 2^32, so that fees fit 96 bits"
  )
)
export type BlockParameters = typeof BlockParameters.Type

/** Size of the ancestry circuit: about 795 constraints a header. */
export const AncestryParameters = Schema.Struct({
  /** Headers that one proof spans at most; longer distances take several proofs. */
  maxHeaders: wholeBetween(1, 1024)
})
export type AncestryParameters = typeof AncestryParameters.Type

/** Sizes of both circuits. */
export const CircuitParameters = Schema.Struct({ block: BlockParameters, ancestry: AncestryParameters })
export type CircuitParameters = typeof CircuitParameters.Type

/** The sizes that the keys in `circuits/keys/devnet` are for; the chain id is "lgnm" in ASCII. */
export const devnetParameters: CircuitParameters = {
  block: { slots: 2, depth: 8, chainId: 1_818_717_805n, transferGas: 16_000 },
  ancestry: { maxHeaders: 8 }
}

/** Public inputs of each circuit, in the order in which a proof carries them. */
export const publicInputNames = {
  block: ["parentHash", "blockHash", "prover", "proverFees", "proverGas"],
  ancestry: ["endHash", "checkpointHash"]
} as const satisfies Record<CircuitName, ReadonlyArray<string>>

/** The circom program that stands for one circuit of the given sizes. */
export const mainProgram = (name: CircuitName, { block, ancestry }: CircuitParameters): string => {
  const instance = name === "block"
    ? `BlockProof(${block.slots}, ${block.depth}, ${block.chainId}, ${block.transferGas})`
    : `Ancestry(${ancestry.maxHeaders})`
  return [
    "// SPDX-License-Identifier: GPL-3.0-or-later",
    "pragma circom 2.1.6;",
    "",
    `include "${name}.circom";`,
    "",
    `component main {public [${publicInputNames[name].join(", ")}]} = ${instance};`,
    ""
  ].join("\n")
}

/** The command that builds keys of the given sizes into a new folder named `keys`. */
export const buildCommand = ({ block, ancestry }: CircuitParameters): string =>
  [
    "npm run lignum -- keys build --directory keys",
    `--slots ${block.slots} --depth ${block.depth} --chain-id ${block.chainId} --transfer-gas ${block.transferGas}`,
    `--max-headers ${ancestry.maxHeaders}`
  ].join(" ")
