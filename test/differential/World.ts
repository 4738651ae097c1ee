/**
 * The real contracts on a real chain, several deployments beside each other, and one history of calls at a time to both them and
 * the pure settlement.
 */
import { Result } from "effect"
import { type Abi, decodeErrorResult, decodeEventLog, encodeDeployData, encodeFunctionData, getContractAddress, type Hex, numberToHex } from "viem"
import { type Address, toAddress, zeroAddress } from "../../src/domain/Hash.ts"
import { designations, type ProtocolParameters } from "../../src/domain/ProtocolParameters.ts"
import { provePossession } from "../../src/domain/QuorumCertificate.ts"
import { creditKinds, reserves } from "../../src/domain/Rewards.ts"
import type { Emission } from "../../src/domain/settlement/Emission.ts"
import { mostMissed } from "../../src/domain/settlement/Turns.ts"
import { observe, type State, step } from "../../src/domain/Settlement.ts"
import { type Addresses, type Certifier, makeCertifier, type Transaction, transactionOf } from "./Calls.ts"
import type { Compiled } from "./Compile.ts"
import type { Coverage } from "./Coverage.ts"
import { accounts, everybody, startingBalance, unpayable } from "./Draws.ts"
import { type Scripted, validatorsOf } from "./History.ts"
import { type Rpc, RpcError } from "./Rpc.ts"
import { deployed, genesis, pairs } from "./Setting.ts"
import { wordsOf } from "./Words.ts"

/** The contracts of a world that no deployment has. */
export const testContracts = ["BindingVerifier", "Lens"].map((name) => `contracts/test/differential/${name}.sol`)

/** Gas of every transaction, below what L1 takes for one (EIP-7825). */
const gas = numberToHex(16_000_000)

const deployer = toAddress("0x00000000000000000000000000000000deadbeef")

/** Reverts whatever is sent to it. */
const refusingCode = "0x5f5ffd"

/** Where the contracts and the pure settlement part. */
export interface Mismatch {
  /** Which call of the history, from zero. */
  readonly call: number
  readonly what: string
  readonly contracts: string
  readonly pure: string
}

/** What stands at the addresses of a world. */
const names = { registry: "CheckpointRegistry", provers: "ProverRegistry", state: "StateUpdate", vault: "RewardVault", signal: "FeeSignal" } as const

interface Log {
  readonly address: Hex
  readonly topics: [Hex, ...Array<Hex>]
  readonly data: Hex
}

interface Receipt {
  readonly status: Hex
  readonly logs: ReadonlyArray<Log>
  readonly contractAddress?: Hex
}

/** Any integer as a bigint, any object by its keys in order: what viem decodes and what the pure settlement says in one writing. */
const written = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === "number" || typeof each === "bigint") return `${each}`
    if (each === null || typeof each !== "object" || Array.isArray(each)) return each
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => a < b ? -1 : 1))
  })

const emitted = ({ _tag, ...args }: Emission): string => {
  const changed: Record<string, unknown> = { ...args }
  if ("kind" in args) changed.kind = creditKinds.indexOf(args.kind)
  if ("reserve" in args) changed.reserve = reserves.indexOf(args.reserve)
  if ("keys" in args) changed.keys = `0x${args.keys.map((key) => key.slice(2)).join("")}`
  return `${_tag} ${written(changed)}`
}

/** L1 time of the first deployment: fixed, so that a seed always gives the same history. */
const begin = 2_000_000_011

/** What the worlds on one chain share. */
interface Chain {
  readonly rpc: Rpc
  readonly contracts: Readonly<Record<string, Compiled>>
  readonly abi: Abi
  readonly lens: Address
  /** L1 time of the last deployment. */
  readonly at: bigint
  /** The snapshot that every history begins at. Going back to it uses it up. */
  snapshot: Hex
}

const joined = (parts: ReadonlyArray<Hex>): Hex => `0x${parts.map((part) => part.slice(2)).join("")}`

/**
 * Sends a transaction and has it mined at a time. Blocks come when they are asked for: anvil's own mining now and then overlooks
 * that a sender waits.
 */
const mined = async (rpc: Rpc, transaction: Readonly<Record<string, string>>, at: number): Promise<Receipt> => {
  const hash = await rpc.call<Hex>("eth_sendTransaction", { ...transaction, gas })
  await rpc.call("evm_setNextBlockTimestamp", at)
  await rpc.call("evm_mine")
  const receipt = await rpc.call<Receipt | null>("eth_getTransactionReceipt", hash)
  if (receipt === null) throw new Error(`transaction ${hash} was not mined`)
  return receipt
}

/** Deploys a world for each set of parameters on one chain. */
export const deployWorlds = async (
  rpc: Rpc,
  contracts: Readonly<Record<string, Compiled>>,
  sets: ReadonlyArray<ProtocolParameters>
): Promise<ReadonlyArray<World>> => {
  await rpc.call("anvil_autoImpersonateAccount", true)
  await rpc.call("evm_setAutomine", false)
  for (const account of [...accounts, unpayable, deployer]) await rpc.call("anvil_setBalance", account, numberToHex(startingBalance))
  await rpc.call("anvil_setCode", unpayable, refusingCode)
  const chainId = BigInt(await rpc.call<Hex>("eth_chainId"))

  let [nonce, at] = [0, begin]
  const create = async (name: string, args: ReadonlyArray<unknown>): Promise<Address> => {
    const { abi, bytecode } = contracts[name]!
    const { contractAddress, status } = await mined(rpc, { from: deployer, data: encodeDeployData({ abi, bytecode, args }) }, at += 7)
    if (status !== "0x1") throw new Error(`${name} was not deployed`)
    nonce++
    return toAddress(contractAddress!)
  }
  const [plain, merging, lens] = [await create("BindingVerifier", [false]), await create("BindingVerifier", [true]), await create("Lens", [])]

  const deployOne = async (parameters: ProtocolParameters) => {
    const given = { ...parameters, designation: designations.indexOf(parameters.designation) }
    const root = { parentId: genesis.parent, number: 0n, blockHash: genesis.blockHash, stateRoot: genesis.stateRoot }
    const validators = validatorsOf(pairs, 0n)
    const [keys, possessions] = [joined(validators.map(({ publicKey }) => publicKey)), joined(validators.map(provePossession))]
    const stateUpdate = toAddress(getContractAddress({ from: deployer, nonce: BigInt(nonce + 3) }))
    const provers = await create("ProverRegistry", [given])
    const registry = await create("CheckpointRegistry", [root, keys, possessions, provers, stateUpdate])
    const registryAt = BigInt(at)
    const vault = await create("RewardVault", [stateUpdate, parameters.shares, given])
    const state = await create("StateUpdate", [registry, vault, provers, root, [plain, merging], given])
    const stateUpdateAt = BigInt(at)
    const signal = await create("FeeSignal", [vault, given])
    return { addresses: { registry, provers, vault, state, signal }, state: deployed(parameters, registryAt, stateUpdateAt) }
  }
  const made: Array<Awaited<ReturnType<typeof deployOne>>> = []
  for (const parameters of sets) made.push(await deployOne(parameters))
  const abi = Object.values(contracts).flatMap((contract) => contract.abi)
  const chain: Chain = { rpc, contracts, abi, lens, at: BigInt(at), snapshot: await rpc.call("evm_snapshot") }
  return made.map(({ addresses, state }) => new World(chain, addresses, state, makeCertifier(chainId, addresses.registry, pairs)))
}

/** Whether one of the turns before an update was missed by nobody, because its place changed hands (ST-6). */
const hasTurnOfNobody = (effects: ReadonlyArray<Emission>): boolean => {
  const missed = effects.filter(({ _tag }) => _tag === "TurnMissed").length
  return effects.some((effect) => effect._tag === "UpdatedInTurn" && effect.holder !== zeroAddress && missed < Math.min(effect.turn, mostMissed))
}

/** One deployment, to which each history returns. */
export class World {
  /** The pure settlement as of the deployment. */
  readonly state: State
  readonly #chain: Chain
  readonly #addresses: Addresses
  readonly #certifier: Certifier

  constructor(chain: Chain, addresses: Addresses, state: State, certifier: Certifier) {
    this.state = state
    this.#chain = chain
    this.#addresses = addresses
    this.#certifier = certifier
  }

  /** L1 time after which histories begin. */
  get at(): bigint {
    return this.#chain.at
  }

  #decodeError(data: Hex): string {
    const decoded = Result.try(() => decodeErrorResult({ abi: this.#chain.abi, data }))
    return Result.isSuccess(decoded) ? `${decoded.success.errorName} ${written(decoded.success.args ?? [])}` : `no known error: ${data}`
  }

  /** An event as its own contract declares it: none may speak for another. */
  #decodeLog({ address, data, topics }: Log): string {
    const [part] = Object.entries(this.#addresses).find(([, each]) => each === toAddress(address)) ?? []
    const contract = this.#chain.contracts[part === undefined ? "" : names[part as keyof Addresses]]
    const decoded = Result.try(() => decodeEventLog({ abi: contract?.abi ?? [], topics, data }))
    return Result.isSuccess(decoded) ? `${decoded.success.eventName} ${written(decoded.success.args)}` : `an unknown event of ${address}: ${topics[0]}`
  }

  /** What a call would end with at a time: its error, or none. */
  async #dryRun({ data, from, to, value }: Transaction, at: bigint): Promise<string | undefined> {
    try {
      await this.#chain.rpc.call("eth_call", { from, to, data, value: numberToHex(value), gas }, "latest", {}, { time: numberToHex(at) })
      return undefined
    } catch (error) {
      if (error instanceof RpcError) return error.data === undefined ? error.message : this.#decodeError(error.data)
      throw error
    }
  }

  #send({ data, from, to, value }: Transaction, at: bigint): Promise<Receipt> {
    return mined(this.#chain.rpc, { from, to, data, value: numberToHex(value) }, Number(at))
  }

  /** Where what can be read of the contracts is something else than the pure settlement says. */
  async #difference(state: State, at: bigint): Promise<Omit<Mismatch, "call"> | undefined> {
    const observed = observe(state, at, everybody)
    const expected = wordsOf(observed, at, state.parameters)
    const data = encodeFunctionData({
      abi: this.#chain.contracts.Lens!.abi,
      functionName: "observe",
      args: [this.#addresses, observed.checkpoints.map(({ id }) => id), observed.boundaries.map(({ hash }) => hash), everybody]
    })
    const read = await this.#chain.rpc.call<Hex>("eth_call", { to: this.#chain.lens, data, gas }, "latest", {}, { time: numberToHex(at) })
    // An array of words: where it begins, how long it is, the words.
    const words = read.slice(2 + 128)
    if (words.length !== 64 * expected.length) return { what: "number of words", contracts: `${words.length / 64}`, pure: `${expected.length}` }
    for (const [i, [what, value]] of expected.entries()) {
      const word = words.slice(64 * i, 64 * (i + 1))
      if (word !== value.toString(16).padStart(64, "0")) return { what, contracts: `${BigInt(`0x${word}`)}`, pure: `${value}` }
    }
    return undefined
  }

  /** Runs a history on both sides; answers where they part, if they do. */
  async run(history: ReadonlyArray<Scripted>, coverage?: Coverage): Promise<Mismatch | undefined> {
    const chain = this.#chain
    await chain.rpc.call("evm_revert", chain.snapshot)
    chain.snapshot = await chain.rpc.call("evm_snapshot")
    let state = this.state
    for (const [call, scripted] of history.entries()) {
      const event = this.#certifier.certified(state, scripted)
      const transaction = transactionOf(event, this.#addresses, this.#chain.contracts, this.#certifier)
      const stepped = step(state, event)
      if (Result.isFailure(stepped)) {
        const { args, error } = stepped.failure
        const pure = `${error} ${written(args)}`
        const contracts = await this.#dryRun(transaction, event.at) ?? "no error"
        if (contracts !== pure) return { call, what: `outcome of ${event._tag}`, contracts, pure }
        coverage?.note(event._tag, error)
      } else {
        const { effects, state: next } = stepped.success
        const { logs, status } = await this.#send(transaction, event.at)
        if (status !== "0x1") {
          return { call, what: `outcome of ${event._tag}`, contracts: await this.#dryRun(transaction, event.at) ?? "out of gas", pure: "no error" }
        }
        const contracts = logs.map((log) => this.#decodeLog(log))
        const pure = effects.map(emitted)
        const place = contracts.findIndex((each, i) => each !== pure[i])
        if (place >= 0 || contracts.length !== pure.length) {
          const from = place < 0 ? contracts.length : place
          const rest = (events: ReadonlyArray<string>) => events.slice(from).join("\n") || "none"
          return { call, what: `event ${from} of ${event._tag}`, contracts: rest(contracts), pure: rest(pure) }
        }
        coverage?.note(event._tag)
        for (const { _tag } of effects) coverage?.saw(_tag)
        if (effects.some(({ _tag }) => _tag === "TurnMissed")) coverage?.saw(`TurnMissed at a ${event._tag}`)
        if (hasTurnOfNobody(effects)) coverage?.saw("a turn that changed hands")
        state = next
      }
      const difference = await this.#difference(state, event.at)
      if (difference !== undefined) return { call, ...difference }
    }
    return undefined
  }
}
