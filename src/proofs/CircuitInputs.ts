/**
 * Blocks and headers as inputs of the circuits, and statements as their public signals.
 */
import { Result } from "effect"
import type { Header } from "../domain/Block.ts"
import type { BlockWitness, LeafWitness } from "../domain/BlockWitness.ts"
import type { Address } from "../domain/Hash.ts"
import type { AncestryProof, Statement } from "../domain/Proof.ts"
import type { AncestryParameters, BlockParameters } from "./CircuitParameters.ts"
import type { CircuitInput, Signal } from "./WitnessCalculator.ts"

const zeros = (count: number): ReadonlyArray<bigint> => Array.from({ length: count }, () => 0n)

const bit = (value: boolean): bigint => (value ? 1n : 0n)

/**
 * The inputs of `circuits/block.circom`, or why the block does not fit a circuit of this size.
 *
 * Whether the witness satisfies the circuit is not looked at here: the witness generator does.
 */
export const blockInput = (
  witness: BlockWitness,
  prover: Address,
  { depth, slots }: Pick<BlockParameters, "depth" | "slots">
): Result.Result<CircuitInput, string> => {
  const { block, parent } = witness
  const { header, transfers } = block
  if (transfers.length > slots) return Result.fail(`the block has ${transfers.length} transfers, the circuit takes ${slots}`)
  if (witness.transfers.length !== transfers.length) {
    return Result.fail(`the witness covers ${witness.transfers.length} of ${transfers.length} transfers`)
  }
  const paths = witness.transfers.flatMap(({ recipient, sender }) => [sender, recipient])
  const wrong = paths.find(({ siblings }) => siblings.length !== depth)
  if (wrong !== undefined) return Result.fail(`a path in the witness has ${wrong.siblings.length} siblings, the circuit's tree has ${depth} levels`)

  /** One value per slot; zero in unused ones, as the circuit demands. */
  const perSlot = (value: (slot: number) => Signal, unused: Signal): ReadonlyArray<Signal> =>
    Array.from({ length: slots }, (_, slot) => (slot < transfers.length ? value(slot) : unused))
  const signed = (slot: number) => transfers[slot]!
  const transfer = (slot: number) => signed(slot).transfer
  const sender = (slot: number): LeafWitness => witness.transfers[slot]!.sender
  const recipient = (slot: number): LeafWitness => witness.transfers[slot]!.recipient

  return Result.succeed({
    parentHash: BigInt(header.parentHash),
    blockHash: BigInt(header.hash),
    prover: BigInt(prover),
    proverFees: header.proverFees,
    proverGas: header.proverGasUsed,
    parentHeader: parent.fields,
    header: header.fields,
    enabled: perSlot(() => 1n, 0n),
    from: perSlot((slot) => BigInt(transfer(slot).from), 0n),
    to: perSlot((slot) => BigInt(transfer(slot).to), 0n),
    toOwner: perSlot((slot) => BigInt(transfer(slot).toOwner), 0n),
    amount: perSlot((slot) => transfer(slot).amount, 0n),
    maxProverFee: perSlot((slot) => transfer(slot).maxProverFee, 0n),
    nonce: perSlot((slot) => transfer(slot).nonce, 0n),
    publicKey: perSlot((slot) => signed(slot).publicKey, zeros(2)),
    signatureR8: perSlot((slot) => signed(slot).signature.R8, zeros(2)),
    signatureS: perSlot((slot) => signed(slot).signature.S, 0n),
    senderBalance: perSlot((slot) => sender(slot).account?.balance ?? 0n, 0n),
    senderSiblings: perSlot((slot) => sender(slot).siblings, zeros(depth)),
    recipientCreated: perSlot((slot) => bit(recipient(slot).account === null), 0n),
    recipientBalance: perSlot((slot) => recipient(slot).account?.balance ?? 0n, 0n),
    recipientNonce: perSlot((slot) => recipient(slot).account?.nonce ?? 0n, 0n),
    recipientSiblings: perSlot((slot) => recipient(slot).siblings, zeros(depth))
  })
}

/**
 * The inputs of `circuits/ancestry.circom` for one link.
 *
 * @param headers from the older block to the newer one, both included; at most `maxHeaders` + 1.
 */
export const ancestryInput = (headers: ReadonlyArray<Header>, { maxHeaders }: AncestryParameters): CircuitInput => {
  const spanned = headers.slice(1)
  const fields = spanned.map((header) => header.fields)
  const unused = maxHeaders - spanned.length
  return {
    endHash: BigInt(headers[0]!.hash),
    checkpointHash: BigInt(headers.at(-1)!.hash),
    active: [...spanned.map(() => 1n), ...zeros(unused)],
    headers: [...fields, ...Array.from({ length: unused }, () => zeros(fields[0]?.length ?? 0))]
  }
}

/** Public signals of every leaf's proof, in order: [parentHash, blockHash, prover, proverFees, proverGas]. */
export const blockSignals = ({ from, leaves }: Statement): ReadonlyArray<ReadonlyArray<bigint>> =>
  leaves.map((leaf, index) => [
    BigInt(index === 0 ? from.hash : leaves[index - 1]!.blockHash),
    BigInt(leaf.blockHash),
    BigInt(leaf.prover),
    leaf.proverFees,
    leaf.proverGas
  ])

/** Public signals of every link's proof, in order: [endHash, checkpointHash]. */
export const ancestrySignals = ({ checkpointBlock, end, via }: AncestryProof): ReadonlyArray<ReadonlyArray<bigint>> => {
  const hashes = [end, ...via, checkpointBlock].map(BigInt)
  return hashes.slice(1).map((hash, index) => [hashes[index]!, hash])
}
