/**
 * What a prover needs beside a block: the state that its transfers touch.
 */
import { Schema } from "effect"
import { Account } from "./Account.ts"
import { Block, Header } from "./Block.ts"
import { FieldElement } from "./Hash.ts"

/** A leaf of the state tree with its authentication path. */
export class LeafWitness extends Schema.Class<LeafWitness>("lignum/LeafWitness")({
  /** The account before the change; `null` for an empty leaf. */
  account: Schema.NullOr(Account),
  /** Siblings from the leaf's level up to the root's children. */
  siblings: Schema.Array(FieldElement)
}) {}

/** The two leaves that one transfer changes, in the order in which it changes them. */
export class TransferWitness extends Schema.Class<TransferWitness>("lignum/TransferWitness")({
  /** The sender's leaf before the transfer. */
  sender: LeafWitness,
  /** The recipient's leaf after the sender's was changed. */
  recipient: LeafWitness
}) {}

/** A block, its parent's header, and the state behind each of its transfers. */
export class BlockWitness extends Schema.Class<BlockWitness>("lignum/BlockWitness")({
  parent: Header,
  block: Block,
  /** One per transfer, in order. */
  transfers: Schema.Array(TransferWitness)
}) {}
