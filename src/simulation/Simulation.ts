/**
 * A rollup with its L1 and its operators in virtual time: the real roles over the models, many nodes in one process.
 *
 * @example
 * ```ts
 * const program = Effect.gen(function*() {
 *   const alice = yield* makeOperator({ name: "alice", account: simulatedAccount(1) })
 *   yield* alice.start
 *   yield* Effect.sleep("1 day")
 *   return (yield* (yield* ModelChain).head).state.tip
 * })
 * await runVirtual(Effect.scoped(program.pipe(Effect.provide(layer({ seed: "a day" })))), { seed: "a day" })
 * ```
 */
import { Context, Duration, Effect, Exit, Layer, Option, Scope } from "effect"
import { BlockNumber, ProverGas, Wei } from "../domain/Amount.ts"
import { overdueUpTo } from "../domain/Backlog.ts"
import { signalOne } from "../domain/Block.ts"
import { genesisCheckpoint } from "../domain/Checkpoint.ts"
import { epochOf, multiplierIn } from "../domain/FeeSignal.ts"
import { type Address, toAddress } from "../domain/Hash.ts"
import { defaultParameters, type ProtocolParameters } from "../domain/ProtocolParameters.ts"
import { isLive } from "../domain/settlement/Registry.ts"
import { L1PollInterval } from "../l1/Follower.ts"
import type { L1 } from "../l1/L1.ts"
import type { LedgerSource } from "../ledger/LedgerSource.ts"
import { Jobs, type OutputCheck } from "../jobs/Jobs.ts"
import { ProvingHost } from "../jobs/ProvingWorker.ts"
import { embeddedStore } from "../node/EmbeddedStore.ts"
import { connectRoles, type Roles, startRoles, supervision } from "../node/ProverNode.ts"
import type { Supervisor } from "../node/Supervisor.ts"
import type { ProofSystem } from "../proofs/ProofSystem.ts"
import { CertificateCheck } from "../roles/CheckpointWatcher.ts"
import { FeeOptions } from "../roles/FeeController.ts"
import { AuditorOptions } from "../roles/RewardAuditor.ts"
import { SettlerOptions, SettlerTick } from "../roles/Settler.ts"
import * as MemoryTransport from "../rpc/MemoryTransport.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { Store } from "../store/Store.ts"
import { layer as chainLayer, ModelChain, type ModelChainOptions } from "./ModelChain.ts"
import { consensusAccount, layer as consensusLayer, ModelConsensus, type ModelConsensusOptions, modelValidators } from "./ModelConsensus.ts"
import { layer as l1Layer, ModelLine } from "./ModelL1.ts"
import { defaultModelLedger, headerIn, layer as ledgerLayer, ModelLedger, type ModelLedgerOptions } from "./ModelLedger.ts"
import { layer as proofsLayer, ModelProver, type ModelProofsOptions } from "./ModelProofs.ts"

/** The account of the operator with a number, from 1 on. */
export const simulatedAccount = (number: number): Address => toAddress(`0x${number.toString(16).padStart(40, "0")}`)

export interface SimulationOptions {
  readonly seed: string
  readonly parameters?: ProtocolParameters
  readonly ledger?: Partial<Omit<ModelLedgerOptions, "seed" | "signalMultiplier" | "overdue">>
  readonly chain?: Partial<Omit<ModelChainOptions, "seed" | "parameters" | "genesis" | "validators" | "first">>
  readonly consensus?: Partial<Omit<ModelConsensusOptions, "seed">>
  /** Provers that take part in turns from the first block on, in this order (ST-6). */
  readonly provers?: ReadonlyArray<Address>
  /** What the vault holds for pots at first, in wei (RW-1). */
  readonly funds?: bigint
  /** What the protocol reserve holds at first, in wei (RW-6, ST-6). */
  readonly endowment?: bigint
}

const ether = 10n ** 18n

const makeRollup = Effect.fnUntraced(function*(options: SimulationOptions) {
  const { endowment = ether, funds = 1_000n * ether, parameters = defaultParameters, provers = [], seed } = options
  const consensus = { seed, validators: 1, lag: Duration.seconds(1), upTo: Number.POSITIVE_INFINITY, ...options.consensus }

  /** The ledger is there before the chain that it looks at. */
  let chain: typeof ModelChain.Service | undefined
  const signalMultiplier = Effect.suspend(() =>
    chain === undefined
      ? Effect.succeed(signalOne)
      : Effect.map(chain.head, ({ state: { signal }, timestamp }) => multiplierIn(parameters, signal, epochOf(parameters, timestamp))))
  const overdue = (timestamp: bigint): Effect.Effect<bigint> =>
    Effect.gen(function*() {
      if (chain === undefined) return 0n
      const { state: { registry, tip } } = yield* chain.head
      const checkpoints = [...registry.records].filter(([id, { number }]) => number > tip.number && isLive(registry, id)).map(([, record]) => record)
      const upTo = overdueUpTo({ tip: tip.number, checkpoints }, timestamp, BigInt(parameters.targetLag))
      const { blocks } = yield* ledger.rollup
      return blocks.slice(tip.number + 1, upTo + 1).reduce((sum, { block }) => sum + block.header.proverGasUsed, 0n)
    })

  const ledgerContext = yield* Layer.build(ledgerLayer({ ...defaultModelLedger, ...options.ledger, seed, signalMultiplier, overdue }))
  const ledger = Context.get(ledgerContext, ModelLedger)
  const genesis = headerIn(yield* ledger.rollup, 0)!
  const chainContext = yield* Layer.build(chainLayer({
    ...options.chain,
    seed,
    parameters,
    genesis: genesisCheckpoint({ number: BlockNumber.make(0), hash: genesis.hash }, genesis.stateRoot),
    validators: modelValidators(consensus.seed, consensus.validators),
    first: [
      { sender: consensusAccount, call: { kind: "fund", amount: Wei.make(funds) } },
      { sender: consensusAccount, call: { kind: "endow", amount: Wei.make(endowment) } },
      ...provers.map((sender) => ({ sender, call: { kind: "join" } }) as const)
    ]
  }))
  chain = Context.get(chainContext, ModelChain)
  const both = Context.merge(ledgerContext, chainContext)
  return Context.merge(both, yield* Layer.build(consensusLayer(consensus)).pipe(Effect.provideContext(both)))
})

/** The world that operators share: L1, the rollup's ledger, and consensus between them. */
export const layer = (options: SimulationOptions): Layer.Layer<ModelChain | ModelLedger | LedgerSource | ModelConsensus> =>
  Layer.effectContext(makeRollup(options))

export interface OperatorOptions {
  /** Told apart from other operators by it. */
  readonly name: string
  readonly account: Address
  readonly proofs?: Partial<ModelProofsOptions>
  readonly settling?: Partial<SettlerOptions>
  readonly fees?: Partial<FeeOptions>
  readonly auditing?: Partial<AuditorOptions>
  /** How often the node asks for L1's newest block; 12 seconds unless told. */
  readonly l1Poll?: Duration.Input
  /** How often its settler looks again; 10 seconds unless told. */
  readonly tick?: Duration.Input
}

/** A prover node and what it stands on. Its store and its machines outlive it. */
export interface Operator {
  readonly name: string
  readonly account: Address
  readonly line: typeof ModelLine.Service
  readonly prover: typeof ModelProver.Service
  readonly store: typeof Store.Service
  readonly jobs: typeof Jobs.Service
  /** The seven roles as clients, whether or not the node runs. */
  readonly roles: Context.Context<Roles>
  /** Starts the node, unless it runs. */
  readonly start: Effect.Effect<void>
  /** Ends it wherever it stands, as a power cut does. */
  readonly stop: Effect.Effect<void>
  readonly supervisor: Effect.Effect<Option.Option<Supervisor>>
}

const gwei = 10n ** 9n

const settlingBy = (parameters: ProtocolParameters): SettlerOptions => ({
  blocksPerUpdate: 1,
  maxBlocks: 16,
  patience: "30 minutes",
  parameters,
  maxFeePerGas: 100n * gwei,
  profitableOnly: false,
  replaceAfter: "2 minutes",
  confirmations: 1
})

/** What control roles of an operator stand on, beside the rollup: its own sight of L1, and its decisions. */
export const operatorPorts = (account: Address, parameters: ProtocolParameters, { fees, settling }: Pick<OperatorOptions, "fees" | "settling"> = {}) =>
  Layer.mergeAll(
    l1Layer(account),
    Layer.succeed(SettlerOptions, { ...settlingBy(parameters), ...settling }),
    Layer.succeed(FeeOptions, { rule: defaultModelLedger.price, blockGas: ProverGas.make(32_000n), ...fees })
  )

/** Sets an operator up; its node is not started yet. */
export const makeOperator = Effect.fnUntraced(function*(
  options: OperatorOptions
): Effect.fn.Return<Operator, never, ModelChain | LedgerSource | Scope.Scope> {
  const { account, name } = options
  const chain = yield* ModelChain
  const { state: { parameters } } = yield* chain.head
  const shared = yield* Effect.context<ModelChain | LedgerSource>()
  const ports: Layer.Layer<
    L1 | ModelLine | LedgerSource | ProofSystem | ModelProver | Store | Jobs | OutputCheck | SettlerOptions | FeeOptions | RoleTransport
  > = Layer.mergeAll(
    operatorPorts(account, parameters, options),
    Layer.provideMerge(Layer.orDie(embeddedStore(":memory:")), proofsLayer({ seed: name, ...options.proofs })),
    MemoryTransport.layer
  ).pipe(Layer.provideMerge(Layer.succeedContext(shared)))
  const context = yield* Layer.build(ports)
  const roles = yield* Layer.build(connectRoles).pipe(Effect.provideContext(context))

  let running: { readonly scope: Scope.Closeable; readonly supervisor: Supervisor } | undefined
  const stop = Effect.suspend(() => {
    const scope = running?.scope
    running = undefined
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
  })
  yield* Effect.addFinalizer(() => stop)

  const start = Effect.gen(function*() {
    if (running !== undefined) return
    const scope = yield* Scope.make()
    const supervisor = yield* startRoles(supervision).pipe(
      Effect.provideContext(Context.add(context, Scope.Scope, scope)),
      Effect.provideService(L1PollInterval, options.l1Poll ?? "12 seconds"),
      Effect.provideService(CertificateCheck, chain.checkCertificate),
      Effect.provideService(SettlerTick, options.tick ?? "10 seconds"),
      // The machine that runs a simulation is not part of it.
      Effect.provideService(ProvingHost, { name, sizes: ["small", "big"], cores: 2, memory: 4_096 }),
      Effect.updateService(AuditorOptions, (given) => ({ ...given, ...options.auditing }))
    )
    running = { scope, supervisor }
  })

  return {
    name,
    account,
    line: Context.get(context, ModelLine),
    prover: Context.get(context, ModelProver),
    store: Context.get(context, Store),
    jobs: Context.get(context, Jobs),
    roles,
    start,
    stop,
    supervisor: Effect.sync(() => Option.map(Option.fromUndefinedOr(running), ({ supervisor }) => supervisor))
  }
})
