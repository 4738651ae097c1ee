/**
 * A proof system for simulations: proving takes virtual time and no work.
 *
 * A proof's bytes are 32 per leaf, a keccak256 over what a block proof would bind: the block before, the block, its prover, fees and
 * gas. So a proof is right for one statement and wrong for every other, anybody can check it, and one that was tampered with is
 * found out (ST-3, OC-1). Whoever wants to cheat can make one without proving: it models honest work and wrong bytes, not forgery.
 *
 * As Groth16 does here, neighbours are put together byte to byte, and merging is no work.
 */
import { Context, Duration, Effect, Layer, Ref, Semaphore } from "effect"
import { concatHex, encodeAbiParameters, keccak256, stringToHex } from "viem/utils"
import { BlockRef, type Header } from "../domain/Block.ts"
import type { BlockWitness } from "../domain/BlockWitness.ts"
import type { Address, BlockHash, HexBytes, ProofId } from "../domain/Hash.ts"
import { AncestryProof, concatStatements, Leaf, Proof, Statement } from "../domain/Proof.ts"
import { seededRandom } from "../ledger/SeededRandom.ts"
import { ProofInvalid, ProofSystem, type ProvingFailed } from "../proofs/ProofSystem.ts"

const leafTag = keccak256(stringToHex("lignum.model.leaf"))
const linkTag = keccak256(stringToHex("lignum.model.link"))

/** The proof of one block. */
const leafProof = (parent: BlockHash, { blockHash, prover, proverFees, proverGas }: Leaf): HexBytes =>
  keccak256(encodeAbiParameters(
    [{ type: "bytes32" }, { type: "bytes32" }, { type: "bytes32" }, { type: "address" }, { type: "uint96" }, { type: "uint64" }],
    [leafTag, parent, blockHash, prover, proverFees, proverGas]
  ))

const leavesProof = (from: BlockHash, leaves: ReadonlyArray<Leaf>): HexBytes =>
  concatHex(leaves.map((leaf, i) => leafProof(leaves[i - 1]?.blockHash ?? from, leaf)))

/** The proof of a chain of links; each is from one of the hashes to the next. */
const linksProof = (path: ReadonlyArray<BlockHash>): HexBytes =>
  concatHex(path.slice(1).map((hash, i) => keccak256(concatHex([linkTag, path[i]!, hash]))))

/** What L1 holds a proof against. */
export interface ModelClaim {
  readonly from: BlockHash
  readonly leaves: ReadonlyArray<Leaf>
  /** The blocks at which the links of the ancestry proof begin and end: END, those between, the checkpoint's; empty without one. */
  readonly path: ReadonlyArray<BlockHash>
}

/** What the model's verifier on L1 answers (ST-3). */
export const modelProofHolds = ({ from, leaves, path }: ModelClaim, proof: HexBytes): boolean =>
  proof === concatHex([leavesProof(from, leaves), linksProof(path)])

/** The `proof` bytes of an update, where one link leads from its end to the checkpoint's block. */
export const modelProofOnL1 = ({ from, leaves, to }: Statement, checkpoint: BlockRef): HexBytes =>
  concatHex([leavesProof(from.hash, leaves), to.hash === checkpoint.hash ? "0x" : linksProof([to.hash, checkpoint.hash])])

/** Whatever somebody's own proof of a block looks like: for proofs that come from elsewhere. */
export const modelBlockProof = (parent: BlockRef, header: Header, prover: Address): Proof => {
  const leaf = new Leaf({ blockHash: header.hash, prover, proverFees: header.proverFees, proverGas: header.proverGasUsed })
  return new Proof({ statement: new Statement({ from: parent, leaves: [leaf] }), system: "groth16", bytes: leafProof(parent.hash, leaf) })
}

/** A prover's machines. */
export interface ModelProofsOptions {
  readonly seed: string
  /** How many proofs run at once. */
  readonly capacity: number
  /** How long a block takes by itself. */
  readonly blockTime: (witness: BlockWitness) => Duration.Duration
  /** How long one link of an ancestry proof takes. */
  readonly linkTime: Duration.Duration
  /** By how much a proof may take longer, by chance: 0.1 for up to a tenth. */
  readonly jitter: number
  /** Blocks of one update at most. */
  readonly maxLeaves: number
  /** Headers that one link of an ancestry proof covers, both ends included. */
  readonly linkHeaders: number
}

export const defaultModelProofs: ModelProofsOptions = {
  seed: "model",
  capacity: 2,
  blockTime: () => Duration.seconds(4),
  linkTime: Duration.seconds(1),
  jitter: 0,
  maxLeaves: 16,
  linkHeaders: 33
}

/** What went on in a prover's machines, and how to break them. */
export class ModelProver extends Context.Service<ModelProver, {
  /** Block proofs that were begun, by block number, as often as they were. */
  readonly begun: Ref.Ref<ReadonlyArray<number>>
  /** Block proofs that were interrupted, by block number. */
  readonly interrupted: Ref.Ref<ReadonlyArray<number>>
  /** Proofs that were verified, valid or not, as often as they were. */
  readonly verified: Ref.Ref<ReadonlyArray<ProofId>>
  /** How long a block takes; a test may change it. */
  readonly blockTime: Ref.Ref<(witness: BlockWitness) => Duration.Duration>
  /** How proving a block ends instead of with a proof. */
  readonly failure: Ref.Ref<(block: number) => ProvingFailed | undefined>
}>()("lignum/simulation/ModelProver") {}

const make = Effect.fnUntraced(function*(options: ModelProofsOptions) {
  const machines = yield* Semaphore.make(options.capacity)
  const prover = ModelProver.of({
    begun: yield* Ref.make<ReadonlyArray<number>>([]),
    interrupted: yield* Ref.make<ReadonlyArray<number>>([]),
    verified: yield* Ref.make<ReadonlyArray<ProofId>>([]),
    blockTime: yield* Ref.make(options.blockTime),
    failure: yield* Ref.make<(block: number) => ProvingFailed | undefined>(() => undefined)
  })

  /** With its jitter, drawn by what is proven and for whom. */
  const stretched = (time: Duration.Duration, ...what: ReadonlyArray<string | number>) => {
    const thousandth = seededRandom(options.seed, "proving", ...what).integer(1_001)
    return Duration.millis(Math.round(Duration.toMillis(time) * (1 + (options.jitter * thousandth) / 1_000)))
  }

  const system = ProofSystem.of({
    id: "groth16",
    verifyingKeys: leafTag,
    capacity: options.capacity,
    mergeWork: false,
    maxLeaves: options.maxLeaves,
    proveBlock: Effect.fnUntraced(function*(witness, account, onProgress) {
      const { block: { header }, parent } = witness
      yield* onProgress({ fraction: 0, stage: "proving" })
      yield* Ref.update(prover.begun, (all) => [...all, header.number])
      const time = (yield* Ref.get(prover.blockTime))(witness)
      yield* Effect.sleep(stretched(time, account, header.number)).pipe(
        Effect.onInterrupt(() => Ref.update(prover.interrupted, (all) => [...all, header.number]))
      )
      const failed = (yield* Ref.get(prover.failure))(header.number)
      if (failed !== undefined) return yield* failed
      return modelBlockProof(new BlockRef({ number: parent.number, hash: parent.hash }), header, account)
    }, machines.withPermits(1)),
    proveAncestry: Effect.fnUntraced(function*(headers, onProgress) {
      yield* onProgress({ fraction: 0, stage: "proving" })
      const meets = headers.filter((_, i) => i % (options.linkHeaders - 1) === 0 && i > 0 && i < headers.length - 1).map(({ hash }) => hash)
      const [end, checkpointBlock] = [headers[0]!.hash, headers[headers.length - 1]!.hash]
      yield* Effect.sleep(stretched(Duration.times(options.linkTime, meets.length + 1), "ancestry", end))
      return new AncestryProof({ system: "groth16", end, via: meets, checkpointBlock, bytes: linksProof([end, ...meets, checkpointBlock]) })
    }, machines.withPermits(1)),
    merge: (left, right) =>
      // Callers put verified neighbours together.
      Effect.map(Effect.orDie(Effect.fromOption(concatStatements(left.statement, right.statement))), (statement) =>
        new Proof({ statement, system: "groth16", bytes: concatHex([left.bytes, right.bytes]) })),
    verify: ({ bytes, id, statement }) =>
      Effect.andThen(
        Ref.update(prover.verified, (all) => [...all, id]),
        bytes === leavesProof(statement.from.hash, statement.leaves)
          ? Effect.void
          : Effect.fail(new ProofInvalid({ reason: "its bytes are not those of its statement" }))
      ),
    verifyAncestry: ({ bytes, checkpointBlock, end, via }) =>
      bytes === linksProof([end, ...via, checkpointBlock])
        ? Effect.void
        : Effect.fail(new ProofInvalid({ reason: "its bytes are not those of its chain" })),
    encodeForL1: (proof, ancestry) => ancestry === undefined ? proof.bytes : concatHex([proof.bytes, ancestry.bytes])
  })
  return Context.make(ProofSystem, system).pipe(Context.add(ModelProver, prover))
})

/** A prover of the model's proofs. */
export const layer = (options: Partial<ModelProofsOptions> = {}): Layer.Layer<ProofSystem | ModelProver> =>
  Layer.effectContext(make({ ...defaultModelProofs, ...options }))
