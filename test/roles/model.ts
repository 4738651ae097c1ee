/**
 * One node over the models of `src/simulation`, as tests of single roles want it: a block every six seconds, an L1 that makes a block
 * of what it is sent within a second, and knobs.
 */
import { Context, Duration, Effect, Layer, Option, Ref } from "effect"
import { ProverGas, Wei } from "../../src/domain/Amount.ts"
import type { BlockRef, Header } from "../../src/domain/Block.ts"
import { type Checkpoint, genesisCheckpoint } from "../../src/domain/Checkpoint.ts"
import type { TransactionHash } from "../../src/domain/Hash.ts"
import { concatStatements, type Proof } from "../../src/domain/Proof.ts"
import { defaultParameters, ProtocolParameters } from "../../src/domain/ProtocolParameters.ts"
import { PriceRule } from "../../src/domain/ProverPrice.ts"
import { revertTo } from "../../src/domain/settlement/Registry.ts"
import type { L1Event } from "../../src/l1/Events.ts"
import type { Call, L1 } from "../../src/l1/L1.ts"
import { devnetPriceRule } from "../../src/ledger/DevnetLedgerConfig.ts"
import type { LedgerSource } from "../../src/ledger/LedgerSource.ts"
import type { ProofSystem, ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import { embeddedStore } from "../../src/node/EmbeddedStore.ts"
import { FeeOptions } from "../../src/roles/FeeController.ts"
import { SettlerOptions } from "../../src/roles/Settler.ts"
import * as ModelChain from "../../src/simulation/ModelChain.ts"
import * as ModelConsensus from "../../src/simulation/ModelConsensus.ts"
import * as ModelL1 from "../../src/simulation/ModelL1.ts"
import * as ModelLedger from "../../src/simulation/ModelLedger.ts"
import * as ModelProofs from "../../src/simulation/ModelProofs.ts"
import type { ModelCall } from "../../src/simulation/ModelTransaction.ts"
import { prover } from "../domain/builders.ts"

export const account = prover(1)
const stranger = prover(9)
const checkpointInterval = 2
export const gwei = 10n ** 9n
/** What each call uses. */
const gas = ({ kind }: ModelCall) => kind === "flag" ? 60_000n : kind === "claim" ? 50_000n : 500_000n

/** The fee signal's epochs last two minutes here. */
const parameters = new ProtocolParameters({ ...defaultParameters, signalEpoch: 120 })

const ledgerOptions: ModelLedger.ModelLedgerOptions = {
  ...ModelLedger.defaultModelLedger,
  checkpointInterval,
  length: 60,
  // Every block uses what the rule aims at, and the price stays where it is.
  price: new PriceRule({ ...devnetPriceRule, target: ProverGas.make(32_000n) })
}

/** The chain as it is made, unless a test replaces blocks. */
export const firstRollup = Array.from({ length: ledgerOptions.length }).reduce<ModelLedger.ModelRollup>(
  (rollup, _, i) =>
    ModelLedger.extendRollup(ledgerOptions, rollup, { timestamp: BigInt(6 * (i + 1)), signalMultiplier: 1_000_000n, overdue: 0n }),
  ModelLedger.startRollup(ledgerOptions, 0n)
)

export const headerOf = (rollup: ModelLedger.ModelRollup, number: number): Header => ModelLedger.headerIn(rollup, number)!
export const refIn = (rollup: ModelLedger.ModelRollup, number: number): BlockRef => ModelLedger.blockIn(rollup, number)!
/** A block of the first chain. */
export const refOf = (number: number): BlockRef => refIn(firstRollup, number)

/** A proof of one block by a competitor. */
export const strangersProof = (number: number, rollup = firstRollup): Proof =>
  ModelProofs.modelBlockProof(refIn(rollup, number - 1), headerOf(rollup, number), stranger)

/** What a test can see and turn. */
export interface ModelKnobs {
  /** How long a block proof takes. */
  readonly provingTime: Ref.Ref<Duration.Duration>
  /** Block proofs that were begun, by block number. */
  readonly begun: Ref.Ref<ReadonlyArray<number>>
  /** Block proofs that were interrupted, by block number. */
  readonly interrupted: Ref.Ref<ReadonlyArray<number>>
  /** How proving a block ends instead of with a proof. */
  readonly failure: Ref.Ref<(block: number) => ProvingFailed | undefined>
  /** Whether the ledger breaks off its streams of blocks at their next block, once for each that runs. */
  readonly ledgerBreaks: Ref.Ref<number>
  /** Whether L1 loses the transactions that it is sent. */
  readonly holdBack: Ref.Ref<boolean>
  /** Whether L1 takes for ever to take a transaction that it does not know, and never gets it. */
  readonly deafen: (deaf: boolean) => Effect.Effect<void>
  /** What L1 wants per gas; half of it is the builders'. */
  readonly gasPrice: Ref.Ref<bigint>
  /** Makes the vault think so of this node's work, a tenth of everybody's. */
  readonly standing: (reputation: bigint, updates: number) => Effect.Effect<void>
  /** Every transaction that L1 was sent, as often as it was sent. */
  readonly sent: Ref.Ref<ReadonlyArray<TransactionHash>>
  /** Takes so many blocks back. What others did comes again in the new ones; what this node did does not, and no pool has it. */
  readonly reorg: (depth: number) => Effect.Effect<void>
  /** Another program uses the account's next nonce. */
  readonly useNonce: Effect.Effect<void>
  /** Makes an empty block. */
  readonly mine: Effect.Effect<void>
  /** An update to a block, of a stranger's proofs. */
  readonly updateTo: (to: number) => Effect.Effect<Extract<Call, { readonly kind: "update" }>>
  /** Somebody else's update to a block, included at once. */
  readonly settleForeign: (to: number) => Effect.Effect<void>
  /** Takes back every checkpoint behind the tip, however young (CP-4); the ledger follows. */
  readonly revert: Effect.Effect<void>
  /** The ledger's blocks as they are now. */
  readonly ledger: Effect.Effect<ModelLedger.ModelRollup>
  readonly events: Effect.Effect<ReadonlyArray<L1Event>>
}

export class Knobs extends Context.Service<Knobs, ModelKnobs>()("test/Knobs") {}

const knobs = Effect.gen(function*() {
  const chain = yield* ModelChain.ModelChain
  const ledger = yield* ModelLedger.ModelLedger
  const line = yield* ModelL1.ModelLine
  const machines = yield* ModelProofs.ModelProver
  const context = yield* Effect.context<ModelChain.ModelChain>()
  const sendAs = (...call: Parameters<typeof ModelConsensus.sendAs>) => Effect.provideContext(ModelConsensus.sendAs(...call), context)

  const provingTime = yield* Ref.make(Duration.seconds(4))
  yield* Ref.set(machines.blockTime, () => Ref.getUnsafe(provingTime))
  const events = Effect.map(chain.blocks, (blocks) => blocks.flatMap(({ events }) => events))

  /** The registry's chain beyond a block, oldest first. */
  const checkpointsBeyond = (tip: number) =>
    Effect.map(events, (all) =>
      all.reduce<ReadonlyArray<Checkpoint>>((live, event) => {
        if (event._tag === "CheckpointsReverted") return live.filter(({ number }) => number <= event.headNumber)
        return event._tag === "CheckpointRegistered" ? [...live, event.checkpoint] : live
      }, []).filter(({ number }) => number > tip))

  const updateTo = Effect.fnUntraced(function*(to: number) {
    const { state: { tip } } = yield* chain.head
    const rollup = yield* ledger.rollup
    const [first, ...rest] = Array.from({ length: to - tip.number }, (_, i) => strangersProof(tip.number + 1 + i, rollup))
    const statement = rest.reduce((whole, { statement }) => Option.getOrThrow(concatStatements(whole, statement)), first!.statement)
    const beyond = yield* checkpointsBeyond(tip.number)
    const checkpoints = beyond.slice(0, beyond.findIndex(({ number }) => number >= to) + 1)
    const proof = ModelProofs.modelProofOnL1(statement, checkpoints.at(-1)!.block)
    return { kind: "update", update: { statement, system: "groth16", mergers: [], checkpoints, ancestry: [], proof } } as const
  })

  return Knobs.of({
    provingTime,
    begun: machines.begun,
    interrupted: machines.interrupted,
    failure: machines.failure,
    ledgerBreaks: ledger.breaks,
    holdBack: line.loses,
    deafen: (deaf) => Ref.set(line.faults, new Map(deaf ? [["send", "silent"]] : [])),
    gasPrice: chain.gasPrice,
    standing: (reputation, updates) =>
      chain.amend((state) => {
        const known = state.vault.accounts.get(account) ?? { credit: 0n, reputation: { amount: 0n, workedAt: 0n, updates: 0 } }
        const accounts = new Map(state.vault.accounts).set(account, { ...known, reputation: { amount: reputation, workedAt: 0n, updates } })
        const totalReputation = { amount: 10n * reputation, at: 0n }
        return { state: { ...state, vault: { ...state.vault, accounts, totalReputation } }, effects: [] }
      }),
    sent: line.sent,
    reorg: (depth) => chain.reorg(depth, ({ transaction: { sender } }) => sender !== account),
    useNonce: chain.forget.pipe(Effect.andThen(sendAs(account, { kind: "nothing" })), Effect.andThen(chain.mine)),
    mine: chain.mine,
    updateTo,
    settleForeign: (to) => Effect.andThen(Effect.flatMap(updateTo(to), (call) => sendAs(stranger, call)), chain.mine),
    revert: chain.amend((state) => {
      const { registry, tip } = state
      const [fallback] = [...registry.records].filter(([, { number }]) => number <= tip.number).at(-1)!
      const reverted = revertTo(registry, fallback, tip.number)
      return { state: { ...state, registry: reverted.state, tip: { ...tip, headThen: fallback } }, effects: reverted.effects }
    }),
    ledger: ledger.rollup,
    events
  })
})

export const modelSettling = {
  blocksPerUpdate: 3,
  maxBlocks: 16,
  patience: "5 minutes",
  parameters,
  maxFeePerGas: 10n * gwei,
  profitableOnly: true,
  replaceAfter: "30 seconds",
  confirmations: 1
} satisfies SettlerOptions

const genesis = genesisCheckpoint(refOf(0), headerOf(firstRollup, 0).stateRoot)
const validators = 4
const funds = firstRollup.blocks.reduce((sum, { block }) => sum + block.header.proverFees, 0n)

const l1 = ModelL1.layer(account).pipe(
  Layer.provideMerge(ModelConsensus.layer({ seed: "model", validators, lag: Duration.millis(500), upTo: Number.POSITIVE_INFINITY })),
  Layer.provideMerge(ModelChain.layer({
    parameters,
    genesis,
    validators: ModelConsensus.modelValidators("model", validators),
    slot: Duration.seconds(1),
    emptyBlocks: Duration.infinity,
    gas,
    first: [{ sender: ModelConsensus.consensusAccount, call: { kind: "fund", amount: Wei.make(funds) } }]
  })),
  Layer.provideMerge(ModelLedger.layer(ledgerOptions))
)

const world: Layer.Layer<Knobs | L1 | LedgerSource | ProofSystem | ModelChain.ModelChain> = Layer.effect(Knobs, knobs).pipe(
  Layer.provideMerge(Layer.merge(l1, ModelProofs.layer()))
)

/** Everything that a node stands on, in memory. */
export const modelPorts = Layer.mergeAll(
  Layer.provideMerge(embeddedStore(":memory:"), world),
  Layer.succeed(SettlerOptions, modelSettling),
  Layer.succeed(FeeOptions, {
    rule: devnetPriceRule,
    blockGas: ProverGas.make(32_000n),
    settlement: {
      gas: { update: 300_000n, block: 60_000n, checkpoint: 200_000n, blocksPerUpdate: 3, blocksPerCheckpoint: checkpointInterval },
      l1GasPrice: Effect.succeed(Option.some(7n))
    }
  })
)
