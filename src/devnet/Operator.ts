/**
 * One operator of a devnet: a prover node with a key, a store and proof workers of its own, in one process (`lignum node`) or several, and
 * what this process knows it by: its roles as clients, over a socket.
 */
import { Context, Duration, Effect, FileSystem, Layer, Schema } from "effect"
import { availableParallelism } from "node:os"
import { join, resolve } from "node:path"
import type { ProverPrice } from "../domain/Amount.ts"
import { toAddress } from "../domain/Hash.ts"
import { RpcFile, rpcFile } from "../node/NodeFiles.ts"
import { ClusterConfig, NodeConfig, NodeConfigJson } from "../node/NodeConfig.ts"
import { NodeService } from "../node/NodeService.ts"
import { connectNode } from "../node/ProverNode.ts"
import { writePrivateFile } from "../rpc/PrivateFile.ts"
import { RoleTransport } from "../rpc/RoleTransport.ts"
import { type Address as SocketAddress, makeSecret } from "../rpc/SecureSocket.ts"
import * as SocketTransport from "../rpc/SocketTransport.ts"
import { addressesFile, type DevnetL1, operatorAccount } from "./Chain.ts"
import { type DevnetConfig, maxBlocksPerUpdate, settlementGasOf } from "./DevnetConfig.ts"
import { clusterOf, hostFolder, hostNiceness, makeHosts, reachHosts, type SharedDatabase } from "./Hosts.ts"
import { makeHostProcess } from "./OperatorProcess.ts"

/** A name for people. */
export const operatorName = (index: number): string => `prover-${index + 1}`

const operatorAddress = (index: number) => toAddress(operatorAccount(index).account.address)

/** An operator of a running devnet. */
export type Operator = Effect.Success<ReturnType<typeof connectOperator>>

const files = (folder: string, index: number) => {
  const data = join(folder, operatorName(index))
  return { data, config: join(data, "node.json"), key: join(data, "l1.key"), secret: join(data, "rpc.secret"), rpc: join(data, rpcFile) }
}

/** What shows in the first operator's folder on how many hosts it ran. */
export const tracesOf = (folder: string) => {
  const { data } = files(folder, 0)
  return { lone: join(data, "node.db"), shared: hostFolder(data, 1) }
}

/** Reaches an operator that is one host, with a new secret. Its process may be started later, and again: what is asked meanwhile waits. */
const reachLoneHost = Effect.fnUntraced(function*(folder: string, index: number) {
  const fs = yield* FileSystem.FileSystem
  const { rpc, secret: secretFile } = files(folder, index)
  // Where an earlier run was killed, its address stayed.
  yield* fs.remove(rpc, { force: true })
  const secret = yield* makeSecret(secretFile)
  const locate = fs.readFileString(rpc).pipe(
    Effect.mapError(() => ({ message: `${operatorName(index)} has not started yet` })),
    Effect.flatMap(Schema.decodeEffect(RpcFile))
  )
  return SocketTransport.connecting({ secret, locate })
})

/** Whether an operator has several hosts. */
export const isSpread = ({ hosts }: DevnetConfig, index: number): boolean => index === 0 && hosts > 1

/** Proofs at once of each host. */
const workersOf = ({ hosts, operators, workers }: DevnetConfig): number =>
  workers ?? Math.max(1, Math.floor(availableParallelism() / (operators.length - 1 + hosts)))

/**
 * The operator as this process knows it.
 *
 * @param database what its hosts share; none where it is one host
 */
export const connectOperator = Effect.fnUntraced(function*(config: DevnetConfig, folder: string, index: number, database: SharedDatabase | undefined) {
  const fs = yield* FileSystem.FileSystem
  const own = files(folder, index)
  const name = operatorName(index)
  yield* fs.makeDirectory(own.data, { recursive: true })
  const shared = database === undefined ? undefined : yield* reachHosts(database)
  const transport = shared?.transport ?? (yield* reachLoneHost(folder, index))
  const node = yield* Layer.build(connectNode).pipe(Effect.provideService(RoleTransport, transport))
  return {
    name,
    account: operatorAddress(index),
    /** The processes that it consists of. */
    hosts: database === undefined || shared === undefined
      ? [yield* makeHostProcess(name, Effect.succeed(["--config", own.config]))]
      : yield* makeHosts(config, database, shared, { ...own, name, workers: workersOf(config) }),
    /** What its hosts share; nothing where it is one host. */
    shared,
    /** Its roles and the node as a whole, as clients. */
    node,
    /** Its work costs something else from now on: it asks that price, and flags below it if it flags at all. */
    reprice: (price: ProverPrice) => Context.get(node, NodeService).reprice({ price })
  }
})

/** The operators that exchange proofs with one of them, as far as it knows before it heard of them. */
const peersOf = ({ operators }: DevnetConfig, index: number) =>
  operators[index]!.exchangesProofs
    ? operators.flatMap(({ exchangesProofs }, i) => exchangesProofs && i !== index ? [{ prover: operatorAddress(i), capacity: 1 }] : [])
    : []

/** How an operator that exchanges proofs reaches those that do, too. */
const gossipOf = ({ operators }: DevnetConfig, ports: ReadonlyArray<number>, index: number) => {
  const addressOf = (port: number) => `/ip4/127.0.0.1/tcp/${port}`
  const others = ports.filter((_, i) => i !== index && operators[i]!.exchangesProofs)
  return operators[index]!.exchangesProofs && others.length > 0
    ? { gossip: { listen: [addressOf(ports[index]!)] as const, bootstrap: others.map(addressOf), mdns: false } }
    : {}
}

/** How much nicer the threads of each operator are to the machine than those of the one before it: where cores are scarce, it is slower. */
const nicenessStep = 2

/** What the operators of a devnet have in common. */
interface Surroundings {
  readonly l1: DevnetL1
  /** Where the ledger is served, and the file of the secret for it. */
  readonly ledger: SocketAddress & { readonly secretFile: string }
  /** Where each operator listens for the others. */
  readonly ports: ReadonlyArray<number>
}

/** What an operator's node is told. */
const nodeConfig = (config: DevnetConfig, { l1: { folder, url }, ledger, ports }: Surroundings, index: number) => {
  const policy = config.operators[index]!
  const { data, key, secret } = files(folder, index)
  return new NodeConfig({
    data,
    rollup: {
      parameters: config.parameters,
      price: config.ledger.price,
      slots: config.ledger.slots,
      blockTime: config.ledger.blockTime,
      checkpointInterval: config.ledger.checkpointInterval,
      settlementGas: settlementGasOf(config)
    },
    l1: {
      url,
      addressesFile: addressesFile(folder),
      // Longer than any machine compiles the contracts: the devnet ends before, if that fails.
      deployedWithin: Duration.minutes(30),
      keyFile: key,
      pollInterval: Duration.millis(250),
      confirmations: 1
    },
    ledger,
    proving: {
      keys: resolve(config.keys),
      workers: workersOf(config),
      niceness: isSpread(config, index) ? hostNiceness : Math.min(19, nicenessStep * index),
      ...(config.proverCommand === undefined ? {} : { command: config.proverCommand })
    },
    work: { reservationPrice: policy.reservationPrice, strategy: "rendezvous", peers: peersOf(config, index) },
    ...gossipOf(config, ports, index),
    settling: {
      when: policy.settling,
      blocksPerUpdate: config.blocksPerUpdate,
      maxBlocks: maxBlocksPerUpdate,
      patience: config.patience,
      // The pots here are what random traffic makes them, often nothing, and the gas is anvil's. Updates come all the same.
      profitableOnly: false,
      maxFeePerGas: 500_000_000_000n,
      replaceAfter: Duration.seconds(30),
      headStart: Duration.seconds(3),
      redundancy: policy.redundancy,
      revertUnproven: true
    },
    ...(policy.provingCost === undefined ? {} : { flagging: { provingCost: policy.provingCost, minMargin: 0n, flagAfter: policy.flagAfter } }),
    ...(isSpread(config, index) ? { cluster: ClusterConfig.make(clusterOf(data)) } : { rpc: { host: "127.0.0.1", port: 0, secretFile: secret } })
  })
}

/** Writes what an operator's process reads when it starts: its configuration, and the key of its L1 account. */
export const configureOperator = Effect.fnUntraced(function*(config: DevnetConfig, surroundings: Surroundings, index: number) {
  const fs = yield* FileSystem.FileSystem
  const { config: file, key } = files(surroundings.l1.folder, index)
  yield* writePrivateFile(key, operatorAccount(index).privateKey)
  const text = yield* Effect.orDie(Schema.encodeEffect(NodeConfigJson)(nodeConfig(config, surroundings, index)))
  yield* fs.writeFileString(file, `${JSON.stringify(JSON.parse(text), undefined, 2)}\n`)
})
