/**
 * What a prover node is told: the file behind `lignum node --config FILE`. Amounts are wei as decimal strings, durations are texts
 * like "30 seconds", and paths are relative to the folder of the file.
 */
import { Duration, Effect, FileSystem, Schema } from "effect"
import { hostname } from "node:os"
import { dirname, resolve } from "node:path"
import { ProverGas, ProverPrice } from "../domain/Amount.ts"
import { defaulting } from "../domain/Defaulting.ts"
import { Address } from "../domain/Hash.ts"
import { StrategyName } from "../domain/planning/Strategy.ts"
import { ProtocolParameters } from "../domain/ProtocolParameters.ts"
import { PriceRule } from "../domain/ProverPrice.ts"
import { JobSize } from "../jobs/Jobs.ts"
import { defaultBigFrom } from "../jobs/ProofJobs.ts"
import { Address as SocketAddress } from "../rpc/SecureSocket.ts"
import { isDatabaseUrl } from "../store/PostgresDatabase.ts"

const natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const amount = Schema.BigIntFromString.check(Schema.isGreaterThanOrEqualToBigInt(0n))
const duration = Schema.DurationFromString

/** Where a service of another process is, and the file of the secret that is shared with it. */
const Remote = Schema.Struct({ ...SocketAddress.fields, secretFile: Schema.String })

/** The rollup as its provers must know it; the same for all of them. */
export const RollupConfig = Schema.Struct({
  /** What the contracts were deployed with. */
  parameters: ProtocolParameters,
  /** The price rule, which is consensus (FM-2). */
  price: PriceRule,
  /** Transfers that a block can hold. */
  slots: natural,
  /** From block to block, when none is late. */
  blockTime: duration,
  /** Blocks from checkpoint to checkpoint. */
  checkpointInterval: natural,
  /** L1 gas that settling takes, for quotes (FM-5). */
  settlementGas: Schema.Struct({ update: amount, block: amount, checkpoint: amount, blocksPerUpdate: natural, blocksPerCheckpoint: natural })
})
export type RollupConfig = typeof RollupConfig.Type

export const L1Config = Schema.Struct({
  /** JSON-RPC over HTTP. */
  url: Schema.String.check(Schema.makeFilter((text: string) => (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) || "an address like http://127.0.0.1:8545")),
  /** The file that the deployment wrote: chain id and contracts. */
  addressesFile: Schema.String,
  /** For how long that file is waited for, where a node is started before the contracts are there. */
  deployedWithin: defaulting(duration, Duration.zero),
  /** File of the private key that sends and is paid, which only its owner may read: 0x and 64 hexadecimal digits. */
  keyFile: Schema.String,
  /** How often L1 is asked for a new block. */
  pollInterval: defaulting(duration, Duration.seconds(2)),
  /** How many L1 blocks deep what was sent must lie; 1 is the newest block. More than L1 ever takes back. */
  confirmations: defaulting(natural, 3)
})

export const ProvingConfig = Schema.Struct({
  /** Folder of the proving keys. */
  keys: Schema.String,
  /** Proofs at once. */
  workers: natural,
  /** Niceness of the threads that prove, 0 to 19: with more of it they leave the machine to others. */
  niceness: defaulting(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 19 })), 0),
  /** From how much prover gas on a block's job is a big one, which only hosts that take big jobs are given. */
  bigFrom: defaulting(ProverGas, defaultBigFrom),
  /** A program with rapidsnark's command line that takes the proving step. */
  command: Schema.optionalKey(Schema.String)
})

export const WorkConfig = Schema.Struct({
  /** Wei per prover gas that proving must bring; what brings less is passed over (OC-3). */
  reservationPrice: defaulting(ProverPrice, ProverPrice.make(0n)),
  /** How the next work is chosen. */
  strategy: defaulting(StrategyName, "rendezvous"),
  /** Provers that are taken to be there before they were heard of, with how many proofs each runs at once. */
  peers: defaulting(Schema.Array(Schema.Struct({ prover: Address, capacity: natural })), [])
})

export const GossipConfig = Schema.Struct({
  /** Where other provers can reach this one, as multiaddresses like /ip4/0.0.0.0/tcp/9000. */
  listen: Schema.NonEmptyArray(Schema.String),
  /** Peers to hold on to. Without any that are chosen well, a node can be surrounded by one that has many names. */
  bootstrap: defaulting(Schema.Array(Schema.String), []),
  /** Whether peers are looked for on the local network, too. */
  mdns: defaulting(Schema.Boolean, false)
})

export const SettlingConfig = Schema.Struct({
  /** Whether it brings updates whenever it can, or in its own turns only, after the race (ST-5, ST-6). */
  when: defaulting(Schema.Literals(["race", "turns"]), "race"),
  /** Blocks that an update covers, or a multiple of it. */
  blocksPerUpdate: natural,
  /** Blocks of one update at most. */
  maxBlocks: natural,
  /** A rest too small for an update, or one that costs more than it brings, is settled after so long. */
  patience: duration,
  /** Whether an update must earn what its gas costs, until patience runs out. */
  profitableOnly: defaulting(Schema.Boolean, true),
  /** The stop-loss: no transaction ever offers more wei per gas. */
  maxFeePerGas: amount,
  /** A transaction that L1 does not include for so long is replaced by a dearer one. */
  replaceAfter: defaulting(duration, Duration.minutes(1)),
  /** How much earlier the first goes in a race than the second, in an order drawn for every update: who loses pays gas all the same. */
  headStart: defaulting(duration, Duration.seconds(3)),
  /** Whether it uses its redundancy turns (RW-4). */
  redundancy: defaulting(Schema.Boolean, true),
  /** Whether it reverts what nobody proves in time, at its own cost (CP-4). */
  revertUnproven: defaulting(Schema.Boolean, true)
})

export const FlaggingConfig = Schema.Struct({
  /** What proving costs, in wei per prover gas: where prices leave less, it flags on L1 (FM-3). */
  provingCost: amount,
  /** What must be left of the price, in wei per prover gas. */
  minMargin: defaulting(amount, 0n),
  /** How long prices must have left too little before. */
  flagAfter: duration
})

/** What a host does for its operator: it has control roles, or proves, or both. */
export const HostRole = Schema.Literals(["control", "prover"])
export type HostRole = typeof HostRole.Type

export const ClusterConfig = Schema.Struct({
  /** The operator's Postgres: `postgres://user:password@host/name`, or a file with that, which only its owner may read. */
  database: Schema.String,
  /** This host's name, which no other host of the operator may have. */
  name: defaulting(Schema.NonEmptyString, hostname()),
  /** Where it listens for the other hosts. Port 0 picks a free one. */
  listen: SocketAddress,
  /** The host that others reach it by, where that is not the one that it listens at. */
  advertise: Schema.optionalKey(Schema.NonEmptyString),
  roles: defaulting(Schema.NonEmptyArray(HostRole), ["control", "prover"]),
  /** Cores and MiB of memory that proofs may take, together; what the machine has, if not given. */
  cores: Schema.optionalKey(natural),
  memory: Schema.optionalKey(natural),
  /** Which jobs it takes. */
  sizes: defaulting(Schema.NonEmptyArray(JobSize), ["small", "big"]),
  /** For how long it goes on with its proofs when it is told to stop; what is not done then, another host begins again. */
  drainWithin: defaulting(duration, Duration.seconds(30))
})
export type ClusterConfig = typeof ClusterConfig.Type

export class NodeConfig extends Schema.Class<NodeConfig>("lignum/NodeConfig")({
  /** Folder of everything that must survive. */
  data: Schema.String,
  rollup: RollupConfig,
  l1: L1Config,
  /** Where consensus serves the ledger. */
  ledger: Remote,
  proving: ProvingConfig,
  work: defaulting(WorkConfig, WorkConfig.make({})),
  /** The network of the other provers; without it, the node works alone. */
  gossip: Schema.optionalKey(GossipConfig),
  settling: SettlingConfig,
  /** Without it, the node never flags. */
  flagging: Schema.optionalKey(FlaggingConfig),
  /** Where the node's roles can be asked by those who know the secret; nowhere if not given. Port 0 picks a free one. */
  rpc: Schema.optionalKey(Remote),
  /** Port on loopback where anybody may ask for quotes; none if not given. */
  quotePort: Schema.optionalKey(SocketAddress.fields.port),
  /** Makes the node the first host of a cluster: `lignum node --join` starts the others. */
  cluster: Schema.optionalKey(ClusterConfig)
}) {}

/** The configuration file cannot be used; the message says where in it, and what is wrong. */
export class NodeConfigUnusable extends Schema.TaggedError<NodeConfigUnusable>()("NodeConfigUnusable", { path: Schema.String, reason: Schema.String }) {
  override get message() {
    return `cannot use the configuration ${this.path}: ${this.reason}`
  }
}

/** Its form in a file. */
export const NodeConfigJson = Schema.fromJsonString(NodeConfig)

const decode = Schema.decodeUnknownEffect(NodeConfig, { onExcessProperty: "error", errors: "all" })

/** Reads a configuration; every path in it is then absolute. */
export const readNodeConfig = Effect.fnUntraced(function*(
  path: string
): Effect.fn.Return<NodeConfig, NodeConfigUnusable, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const unusable = (reason: string) => new NodeConfigUnusable({ path, reason })
  const text = yield* Effect.mapError(fs.readFileString(path), () => unusable("there is no such file, or this user may not read it"))
  const json = yield* Effect.try({ try: () => JSON.parse(text) as unknown, catch: (error) => unusable(`it is not JSON (${(error as Error).message})`) })
  const config = yield* Effect.mapError(decode(json), ({ message }) => unusable(message.replace(/\s*\n\s*/g, " ")))
  const at = (file: string) => resolve(dirname(resolve(path)), file)
  const remote = <R extends { readonly secretFile: string }>(one: R): R => ({ ...one, secretFile: at(one.secretFile) })
  return new NodeConfig({
    ...config,
    data: at(config.data),
    l1: { ...config.l1, addressesFile: at(config.l1.addressesFile), keyFile: at(config.l1.keyFile) },
    ledger: remote(config.ledger),
    proving: { ...config.proving, keys: at(config.proving.keys) },
    ...(config.rpc === undefined ? {} : { rpc: remote(config.rpc) }),
    ...(config.cluster === undefined ? {} : { cluster: { ...config.cluster, database: isDatabaseUrl(config.cluster.database) ? config.cluster.database : at(config.cluster.database) } })
  })
})
