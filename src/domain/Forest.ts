/**
 * All verified proofs beyond the proven tip, and the heaviest tree among them (OC-2).
 *
 * Idle blocks use no prover gas and still have to be settled: of covers with equal gas, the one that reaches further counts.
 */
import type { BlockRef } from "./Block.ts"
import type { BlockHash, ProofId } from "./Hash.ts"
import type { Proof } from "./Proof.ts"

/** A cover of the chain from the tip by neighbouring proofs. */
interface Cover {
  readonly proverGas: bigint
  readonly reaches: number
  readonly pieces: ReadonlyArray<{ readonly id: ProofId; readonly proof: Proof }>
}

/** Most prover gas first; then the further reach; then fewer pieces left to merge; then the lower ids. Total, so that everyone agrees (OC-2). */
const isHeavier = (a: Cover, b: Cover): boolean => {
  if (a.proverGas !== b.proverGas) return a.proverGas > b.proverGas
  if (a.reaches !== b.reaches) return a.reaches > b.reaches
  if (a.pieces.length !== b.pieces.length) return a.pieces.length < b.pieces.length
  const differs = a.pieces.findIndex(({ id }, i) => id !== b.pieces[i]!.id)
  return differs >= 0 && a.pieces[differs]!.id < b.pieces[differs]!.id
}

export class Forest {
  readonly #byStart = new Map<BlockHash, Map<ProofId, Proof>>()
  /** How many proofs cover a block. */
  readonly #covers = new Map<BlockHash, number>()
  #tip: BlockRef

  constructor(tip: BlockRef) {
    this.#tip = tip
  }

  get tip(): BlockRef {
    return this.#tip
  }

  /** Adds a verified proof. Says whether it was new; one that ends at or behind the tip is not kept. */
  add(proof: Proof): boolean {
    if (proof.statement.to.number <= this.#tip.number) return false
    const { id } = proof
    const siblings = this.#byStart.get(proof.statement.from.hash) ?? new Map<ProofId, Proof>()
    if (siblings.has(id)) return false
    this.#byStart.set(proof.statement.from.hash, siblings.set(id, proof))
    this.#count(proof, 1)
    return true
  }

  /** Whether any proof covers a block, in the heaviest tree or not. */
  covers(block: BlockHash): boolean {
    return this.#covers.has(block)
  }

  /** Forgets every proof over a block: the ledger replaced it (CP-4). */
  drop(block: BlockHash): void {
    if (this.covers(block)) this.#forget(({ statement }) => statement.leaves.some(({ blockHash }) => blockHash === block))
  }

  #forget(where: (proof: Proof) => boolean): void {
    for (const [start, proofs] of this.#byStart) {
      for (const [id, proof] of proofs) {
        if (!where(proof)) continue
        proofs.delete(id)
        this.#count(proof, -1)
      }
      if (proofs.size === 0) this.#byStart.delete(start)
    }
  }

  #count(proof: Proof, by: 1 | -1): void {
    for (const { blockHash } of proof.statement.leaves) {
      const count = (this.#covers.get(blockHash) ?? 0) + by
      if (count === 0) this.#covers.delete(blockHash)
      else this.#covers.set(blockHash, count)
    }
  }

  /** Moves the proven tip and forgets what lies behind it. */
  moveTip(tip: BlockRef): void {
    this.#tip = tip
    this.#forget(({ statement }) => statement.to.number <= tip.number)
  }

  /** The pieces of the heaviest tree, from the tip on; empty when nothing continues the tip (OC-2). */
  heaviest(): ReadonlyArray<Proof> {
    // Pieces only ever lead to higher numbers, so that visiting ends in order of their numbers settles each one for good.
    const best = new Map<BlockHash, Cover>([[this.#tip.hash, { proverGas: 0n, reaches: this.#tip.number, pieces: [] }]])
    const open: Array<BlockRef> = [this.#tip]
    let heaviest = best.get(this.#tip.hash)!
    while (open.length > 0) {
      open.sort((a, b) => b.number - a.number)
      const at = open.pop()!
      const cover = best.get(at.hash)!
      if (isHeavier(cover, heaviest)) heaviest = cover
      for (const [id, proof] of this.#byStart.get(at.hash) ?? []) {
        const to = proof.statement.to
        const longer: Cover = {
          proverGas: cover.proverGas + proof.statement.proverGas,
          reaches: to.number,
          pieces: [...cover.pieces, { id, proof }]
        }
        const known = best.get(to.hash)
        if (known === undefined) open.push(to)
        if (known === undefined || isHeavier(longer, known)) best.set(to.hash, longer)
      }
    }
    return heaviest.pieces.map(({ proof }) => proof)
  }
}
