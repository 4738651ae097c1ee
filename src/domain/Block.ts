/**
 * A rollup block: header and transfers. Its hash is Poseidon2 over the header, so that circuits open it cheaply.
 */
import { Schema } from "effect"
import { BlockNumber, ProverGas, ProverPrice, Wei } from "./Amount.ts"
import { BlockHash, poseidon2, StateRoot, toHex32, TransactionsRoot } from "./Hash.ts"
import { SignedTransfer, type Transfer } from "./Transfer.ts"

/** The multiplier 1.0 of the L1 signal (FM-3), as the fixed-point number that headers carry. */
export const signalOne = 1_000_000n

/** A block's header; the order of the fields is the order in which they are hashed. */
export class Header extends Schema.Class<Header>("lignum/Header")({
  parentHash: BlockHash,
  number: BlockNumber,
  stateRoot: StateRoot,
  transactionsRoot: TransactionsRoot,
  proverGasUsed: ProverGas,
  /** Price snapshot: later moves of the price never invalidate a pending block (FM-4). */
  proverPrice: ProverPrice,
  /** Prover fees collected from the block's transfers: the block's pot on L1 (RW-1). */
  proverFees: Wei,
  /** Multiplier of the L1 signal in force, in millionths. */
  signalMultiplier: Schema.BigIntFromString,
  /** Seconds since 1970. */
  timestamp: Schema.BigIntFromString
}) {
  /** The nine field elements that the hash and the circuits are over. */
  get fields(): ReadonlyArray<bigint> {
    return [
      BigInt(this.parentHash),
      BigInt(this.number),
      BigInt(this.stateRoot),
      BigInt(this.transactionsRoot),
      this.proverGasUsed,
      this.proverPrice,
      this.proverFees,
      this.signalMultiplier,
      this.timestamp
    ]
  }

  /** The block's hash. */
  get hash(): BlockHash {
    return BlockHash.make(toHex32(poseidon2(...this.fields)))
  }
}

/** A point of the chain that a proof starts or ends at. */
export class BlockRef extends Schema.Class<BlockRef>("lignum/BlockRef")({
  number: BlockNumber,
  hash: BlockHash
}) {}

/** A header with the transfers that its transactions root commits to. */
export class Block extends Schema.Class<Block>("lignum/Block")({
  header: Header,
  transfers: Schema.Array(SignedTransfer)
}) {
  get number(): BlockNumber {
    return this.header.number
  }

  get ref(): BlockRef {
    return new BlockRef({ number: this.header.number, hash: this.header.hash })
  }
}

/** Root of the binary tree over `slots` (a power of two) transfer digests; an unused slot counts as 0. */
export const transactionsRoot = (transfers: ReadonlyArray<Transfer>, chainId: bigint, slots: number): TransactionsRoot => {
  let level = Array.from({ length: slots }, (_, slot) => transfers[slot]?.digest(chainId) ?? 0n)
  while (level.length > 1) {
    level = Array.from({ length: level.length / 2 }, (_, pair) => poseidon2(level[2 * pair]!, level[2 * pair + 1]!))
  }
  return TransactionsRoot.make(toHex32(level[0]!))
}
