/**
 * Consensus for simulations: brings the model ledger's checkpoints to the model's L1, and goes back with the ledger after a revert.
 *
 * Certificates are real: validators sign with BLS keys, and L1 and every node check them (CP-2). It signs one digest per checkpoint.
 */
import { Context, Duration, Effect, Layer, Queue, Ref, Stream } from "effect"
import { Checkpoint, checkpointDigest, type QuorumCertificate } from "../domain/Checkpoint.ts"
import { type Address, toAddress, type TransactionHash } from "../domain/Hash.ts"
import { certifyDigest, quorumOf, validatorKeyPairFrom, ValidatorSet } from "../domain/QuorumCertificate.ts"
import { generationOf } from "../domain/settlement/Registry.ts"
import { ModelChain, modelContracts, nonceIn } from "./ModelChain.ts"
import { headerIn, ModelLedger } from "./ModelLedger.ts"
import { hashOf, type ModelCall, modelGas, ModelTransaction, rawOf } from "./ModelTransaction.ts"

/** Who sends for consensus on L1. */
export const consensusAccount = toAddress(`0x${"f0".repeat(20)}`)

const keysOf = (seed: string, count: number) => Array.from({ length: count }, (_, i) => validatorKeyPairFrom(`${seed}/${i}`))

/** The validators of a seed. */
export const modelValidators = (seed: string, count: number): ValidatorSet => {
  const [first, ...rest] = keysOf(seed, count).map(({ publicKey }) => publicKey)
  return new ValidatorSet({ epoch: 0n, publicKeys: [first!, ...rest] })
}

export interface ModelConsensusOptions {
  readonly seed: string
  readonly validators: number
  /** From a checkpoint's block to its transaction. */
  readonly lag: Duration.Duration
  /** The last block that is checkpointed, at first. */
  readonly upTo: number
}

export class ModelConsensus extends Context.Service<ModelConsensus, {
  /** Blocks up to this one are checkpointed, and no more. */
  readonly allow: (upTo: number) => Effect.Effect<void>
}>()("lignum/simulation/ModelConsensus") {}

/** Sends a call with an account's next nonce, at a price that every block takes. */
export const sendAs = Effect.fnUntraced(function*(sender: Address, call: ModelCall) {
  const chain = yield* ModelChain
  const price = 10n * (yield* Ref.get(chain.gasPrice))
  const nonce = nonceIn(yield* chain.pending, sender)
  const raw = rawOf(new ModelTransaction({ sender, nonce, gas: modelGas(call), maxFeePerGas: price, maxPriorityFeePerGas: price, call }))
  yield* Effect.orDie(chain.send(raw))
  return hashOf(raw)
})

const make = Effect.fnUntraced(function*(options: ModelConsensusOptions) {
  const chain = yield* ModelChain
  const ledger = yield* ModelLedger
  const keys = keysOf(options.seed, options.validators)
  const signers = new Map(keys.slice(0, quorumOf(keys.length)).map(({ secretKey }, i) => [i, secretKey]))
  const upTo = yield* Ref.make(options.upTo)
  const news = yield* Queue.sliding<void>(1)
  const certificates = new Map<string, QuorumCertificate>()
  let last: TransactionHash | undefined

  const certify = (checkpoint: Checkpoint): QuorumCertificate => {
    const digest = checkpointDigest({ chainId: chain.chainId, registry: modelContracts.registry, epoch: 0n }, checkpoint.id)
    const certificate = certificates.get(digest) ?? certifyDigest(digest, signers)
    certificates.set(digest, certificate)
    return certificate
  }

  /** The checkpoint that continues the registry's head; none while its block is not made, or not allowed. */
  const next = Effect.gen(function*() {
    const { state: { registry, tip } } = yield* chain.head
    const generation = generationOf(registry)
    if (generation > (yield* ledger.rollup).rebuilds.length) yield* ledger.rebuild(tip.number, generation)
    const interval = ledger.checkpointInterval
    const reached = Math.max(registry.records.get(registry.headId)!.number, registry.floor)
    const number = interval * (Math.floor(reached / interval) + 1)
    const header = headerIn(yield* ledger.rollup, number)
    if (header === undefined || number > (yield* Ref.get(upTo))) return undefined
    return new Checkpoint({ parent: registry.headId, number: header.number, blockHash: header.hash, stateRoot: header.stateRoot })
  })

  const post = Effect.gen(function*() {
    if ((yield* next) === undefined || (last !== undefined && (yield* chain.waits(last)))) return
    yield* Effect.sleep(options.lag)
    const checkpoint = yield* next
    if (checkpoint === undefined) return
    last = yield* sendAs(consensusAccount, { kind: "checkpoint", checkpoint, certificate: certify(checkpoint) })
  })

  yield* Effect.forkScoped(Stream.runForEach(Stream.merge(ledger.changes, chain.changes), () => Queue.offer(news, undefined)))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Queue.take(news), post)))
  return ModelConsensus.of({ allow: (number) => Effect.andThen(Ref.set(upTo, number), Queue.offer(news, undefined)) })
})

export const layer = (options: ModelConsensusOptions): Layer.Layer<ModelConsensus, never, ModelChain | ModelLedger> =>
  Layer.effect(ModelConsensus, make(options))
