/**
 * Puts the contracts on L1, linked with each other and checked, and keeps where they are in an addresses file.
 */
import { Effect, FileSystem, Result, Schema } from "effect"
import { dirname } from "node:path"
import {
  BaseError,
  concat,
  createPublicClient,
  createWalletClient,
  decodeErrorResult,
  defineChain,
  encodeDeployData,
  getContractAddress,
  type Hex,
  http,
  isHex,
  type LocalAccount
} from "viem"
import type { BlockNumber } from "../domain/Amount.ts"
import { BlockRef } from "../domain/Block.ts"
import { genesisCheckpoint } from "../domain/Checkpoint.ts"
import { Address, type BlockHash, Bytes32, CheckpointId, type HexBytes, type StateRoot, toAddress } from "../domain/Hash.ts"
import { type ValidatorKey, verifyPossession } from "../domain/QuorumCertificate.ts"
import { designations, type ProtocolParameters } from "../domain/ProtocolParameters.ts"
import { type VerifyingKeys, verifyingKeysHash, verifyingKeyWords } from "../proofs/VerifierKeys.ts"
import {
  checkpointRegistryAbi,
  feeSignalAbi,
  groth16BatchVerifierAbi,
  proofSystemIds,
  proverRegistryAbi,
  rewardVaultAbi,
  settlementErrorsAbi,
  stateUpdateAbi
} from "./abi.ts"
import type { ContractBuild, ContractName } from "./ContractBuild.ts"

/**
 * The contracts could not be put on L1. What was deployed before the failing step is harmless and stays unused: mend what the
 * reason names, then deploy again.
 */
export class DeploymentFailed extends Schema.TaggedError<DeploymentFailed>()("DeploymentFailed", {
  /** What was being done. */
  step: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the deployment failed at ${this.step}: ${this.reason}. Mend that, then deploy again; the account needs ether and must send nothing else meanwhile.`
  }
}

/** An addresses file is missing, damaged or of another version. Deploy again, or restore the file that the deployment wrote. */
export class DeploymentUnreadable extends Schema.TaggedError<DeploymentUnreadable>()("DeploymentUnreadable", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.path} is no usable addresses file: ${this.reason}. Restore the file that the deployment wrote, or deploy again.`
  }
}

/** Where the contracts are: the addresses file. */
export class Deployment extends Schema.Class<Deployment>("lignum/Deployment")({
  chainId: Schema.Int,
  /** The L1 block of the first contract: their events begin here. */
  block: Schema.Int,
  registry: Address,
  /** The provers that take turns. */
  provers: Address,
  stateUpdate: Address,
  vault: Address,
  /** The provers' price signal. */
  feeSignal: Address,
  /** Verifier of proof system 1. */
  groth16: Address,
  /** Id of the genesis checkpoint, the first checkpoint's parent. */
  genesis: CheckpointId,
  /** keccak256 over both verifying keys, as the verifier holds them: provers with other keys prove in vain. */
  verifyingKeys: Bytes32
}) {}

/** What a deployment needs. */
export interface DeployOptions {
  /** JSON-RPC address of L1. */
  readonly url: string
  readonly chainId: number
  /** Pays for the deployment and has no rights afterwards. Nothing else may send from it meanwhile. */
  readonly account: LocalAccount
  readonly contracts: ContractBuild
  /** The genesis block, the first proven tip. */
  readonly genesis: { readonly number: BlockNumber; readonly hash: BlockHash; readonly stateRoot: StateRoot }
  /** The first validator set, in the order of the signer bitmap, with a proof of possession for each key (CP-2). */
  readonly validators: { readonly publicKeys: ReadonlyArray<ValidatorKey>; readonly possessions: ReadonlyArray<HexBytes> }
  readonly verifyingKeys: VerifyingKeys
  readonly parameters: ProtocolParameters
}

const errorsAbi = [...[...checkpointRegistryAbi, ...proverRegistryAbi, ...feeSignalAbi].filter((item) => item.type === "error"), ...settlementErrorsAbi]

/** Why L1 refused: the contract's custom error where there is one. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof BaseError)) return error instanceof Error ? error.message : String(error)
  const reverted = error.walk((each) => each !== null && typeof each === "object" && "data" in each && isHex(each.data))
  const data = reverted === null ? "0x" : (reverted as unknown as { readonly data: Hex }).data
  return Result.getOrElse(
    Result.try(() => {
      const { args, errorName } = decodeErrorResult({ abi: errorsAbi, data })
      return `${errorName}(${((args ?? []) as ReadonlyArray<unknown>).join(", ")})`
    }),
    () => error.details || error.shortMessage
  )
}

const attempt = <A>(step: string, task: () => Promise<A>): Effect.Effect<A, DeploymentFailed> =>
  Effect.tryPromise({ try: task, catch: (error) => new DeploymentFailed({ step, reason: reasonOf(error) }) })

const expect = (step: string, holds: boolean, reason: string): Effect.Effect<void, DeploymentFailed> =>
  holds ? Effect.void : Effect.fail(new DeploymentFailed({ step, reason }))

/** The registry would refuse the set as well, but only after the gas is spent, and by index instead of by cause. */
const checkValidators = Effect.fnUntraced(function*({ possessions, publicKeys }: DeployOptions["validators"]) {
  const step = "checking the validators' keys"
  yield* expect(step, publicKeys.length === possessions.length, `${publicKeys.length} keys but ${possessions.length} proofs of possession`)
  for (const [index, key] of publicKeys.entries()) {
    const checked = verifyPossession(key, possessions[index]!)
    if (Result.isFailure(checked)) {
      return yield* new DeploymentFailed({
        step,
        reason: `validator ${index} does not prove that it holds its key: ${checked.failure.message}`
      })
    }
  }
})

/**
 * Deploys all contracts in six transactions and checks what came of it: that they name each other, and hold the keys, parameters
 * and genesis that they were given. Nobody has any rights over them afterwards.
 *
 * The checkpoint registry, the vault and the state update name each other in their constructors: the last one's address follows
 * from the account and its nonce, so that no owner has to link them later.
 */
export const deploy = Effect.fn("deploy")(function*(options: DeployOptions): Effect.fn.Return<Deployment, DeploymentFailed> {
  const { account, chainId, contracts, parameters, url } = options
  const chain = defineChain({
    id: chainId,
    name: `L1 ${chainId}`,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [url] } }
  })
  const client = createPublicClient({ chain, transport: http(url), cacheTime: 0, pollingInterval: 100 })
  const wallet = createWalletClient({ account, chain, transport: http(url) })

  yield* checkValidators(options.validators)
  const found = yield* attempt("asking L1 for its chain id", () => client.getChainId())
  yield* expect("asking L1 for its chain id", found === chainId, `${url} is chain ${found}, not ${chainId}`)
  const nonce = yield* attempt("asking L1 for the account's nonce", () =>
    client.getTransactionCount({ address: account.address, blockTag: "pending" }))
  const addressAt = (index: number) => toAddress(getContractAddress({ from: account.address, nonce: BigInt(nonce + index) }))
  const [provers, registry, groth16, vault, stateUpdate, feeSignal] = [addressAt(0), addressAt(1), addressAt(2), addressAt(3), addressAt(4), addressAt(5)]

  const create = Effect.fnUntraced(function*(name: ContractName, index: number, data: Hex) {
    const receipt = yield* attempt(`deploying ${name}`, async () => {
      const hash = await wallet.sendTransaction({ data, nonce: nonce + index })
      return await client.waitForTransactionReceipt({ hash })
    })
    yield* expect(`deploying ${name}`, receipt.status === "success", "the transaction was reverted")
    return Number(receipt.blockNumber)
  })
  const bytecode = (name: ContractName) => contracts.contracts[name].bytecode

  const { genesis, validators } = options
  const checkpoint = genesisCheckpoint(new BlockRef({ number: genesis.number, hash: genesis.hash }), genesis.stateRoot)
  const root = { parentId: checkpoint.parent, number: BigInt(genesis.number), blockHash: genesis.hash, stateRoot: genesis.stateRoot }
  const keys = concat(validators.publicKeys)

  const given = { ...parameters, designation: designations.indexOf(parameters.designation) }
  const block = yield* create(
    "ProverRegistry",
    0,
    encodeDeployData({ abi: proverRegistryAbi, bytecode: bytecode("ProverRegistry"), args: [given] })
  )
  yield* create("CheckpointRegistry", 1, encodeDeployData({
    abi: checkpointRegistryAbi,
    bytecode: bytecode("CheckpointRegistry"),
    args: [root, keys, concat(validators.possessions), provers, stateUpdate]
  }))
  yield* create("Groth16BatchVerifier", 2, encodeDeployData({
    abi: groth16BatchVerifierAbi,
    bytecode: bytecode("Groth16BatchVerifier"),
    args: [verifyingKeyWords(options.verifyingKeys.block), verifyingKeyWords(options.verifyingKeys.ancestry)]
  }))
  yield* create("RewardVault", 3, encodeDeployData({
    abi: rewardVaultAbi,
    bytecode: bytecode("RewardVault"),
    args: [stateUpdate, parameters.shares, given]
  }))
  yield* create("StateUpdate", 4, encodeDeployData({
    abi: stateUpdateAbi,
    bytecode: bytecode("StateUpdate"),
    args: [registry, vault, provers, root, [groth16], given]
  }))
  yield* create("FeeSignal", 5, encodeDeployData({ abi: feeSignalAbi, bytecode: bytecode("FeeSignal"), args: [vault, given] }))

  const deployment = new Deployment({
    chainId,
    block,
    registry,
    provers,
    stateUpdate,
    vault,
    feeSignal,
    groth16,
    genesis: checkpoint.id,
    verifyingKeys: verifyingKeysHash(options.verifyingKeys)
  })
  yield* checkDeployment(client, deployment, { keys, parameters, genesis })
  return deployment
})

/** Asks the contracts for everything that they were given: a deployment that is wrong must not be used for a single block. */
const checkDeployment = Effect.fnUntraced(function*(
  client: ReturnType<typeof createPublicClient>,
  deployment: Deployment,
  given: { readonly keys: Hex; readonly parameters: ProtocolParameters; readonly genesis: DeployOptions["genesis"] }
) {
  const registry = { address: deployment.registry, abi: checkpointRegistryAbi } as const
  const verifier = { address: deployment.groth16, abi: groth16BatchVerifierAbi } as const
  const vault = { address: deployment.vault, abi: rewardVaultAbi } as const
  const state = { address: deployment.stateUpdate, abi: stateUpdateAbi } as const
  const step = "checking the contracts"
  const provers = { address: deployment.provers, abi: proverRegistryAbi } as const
  const [headId, keys, keysHash, linked, shares, tip, its, set, links] = yield* attempt(step, () =>
    Promise.all([
      client.readContract({ ...registry, functionName: "headId" }),
      client.readContract({ ...registry, functionName: "validatorKeys" }),
      client.readContract({ ...verifier, functionName: "verifyingKeysHash" }),
      client.readContract({ ...vault, functionName: "stateUpdate" }),
      client.readContract({ ...vault, functionName: "shares" }),
      client.readContract({ ...state, functionName: "tip" }),
      Promise.all([
        client.readContract({ ...state, functionName: "registry" }),
        client.readContract({ ...state, functionName: "vault" }),
        client.readContract({ ...state, functionName: "verifierOf", args: [proofSystemIds.groth16] }),
        client.readContract({ ...state, functionName: "provers" })
      ]),
      Promise.all([
        client.readContract({ ...state, functionName: "idleFallback" }),
        client.readContract({ ...state, functionName: "turnLength" }),
        client.readContract({ ...state, functionName: "designation" }),
        client.readContract({ ...state, functionName: "fallbackBounty" }),
        client.readContract({ ...provers, functionName: "bond" }),
        client.readContract({ ...provers, functionName: "leaveDelay" }),
        client.readContract({ ...state, functionName: "redundancyWindow" }),
        client.readContract({ ...vault, functionName: "redundancyWindow" }),
        client.readContract({ ...state, functionName: "proofDeadline" }),
        client.readContract({ ...state, functionName: "targetLag" }),
        client.readContract({ ...state, functionName: "bonusRamp" }),
        client.readContract({ ...state, functionName: "bonusCap" })
      ]),
      Promise.all([
        client.readContract({ ...registry, functionName: "stateUpdate" }),
        client.readContract({ ...registry, functionName: "provers" })
      ])
    ]))
  yield* expect(step, headId === deployment.genesis, "the registry's head is not the genesis checkpoint")
  yield* expect(step, keys === given.keys, "the registry holds other validators' keys")
  yield* expect(step, keysHash === deployment.verifyingKeys, "the verifier holds other verifying keys")
  yield* expect(step, linked === deployment.stateUpdate, "the vault takes orders from another contract")
  yield* expect(
    step,
    links[0] === deployment.stateUpdate && links[1] === deployment.provers,
    "the checkpoint registry is linked with other contracts"
  )
  yield* expect(
    step,
    (["leaf", "merge", "submission", "redundancy", "reserve"] as const).every((share) => shares[share] === given.parameters.shares[share]),
    "the vault splits by other shares"
  )
  yield* expect(step, tip[0] === given.genesis.hash && tip[1] === BigInt(given.genesis.number), "the proven tip is not the genesis block")
  yield* expect(
    step,
    its[0] === deployment.registry && its[1] === deployment.vault && its[2] === deployment.groth16 && its[3] === deployment.provers,
    "the state update is linked with other contracts"
  )
  const { parameters } = given
  const due = [
    parameters.idleFallback,
    parameters.turnLength,
    designations.indexOf(parameters.designation),
    parameters.fallbackBounty,
    parameters.bond,
    parameters.leaveDelay,
    parameters.redundancyWindow,
    parameters.redundancyWindow,
    parameters.proofDeadline,
    parameters.targetLag,
    parameters.bonusRamp,
    parameters.bonusCap
  ].map(BigInt)
  yield* expect(step, set.every((value, index) => BigInt(value) === due[index]), "the contracts hold other parameters")
  yield* checkFeeSignal(client, deployment, given.parameters)
})

/** What the fee signal was given (FM-3). */
const signalParameters = ["signalEpoch", "minUpdates", "signalQuorum", "signalCap", "signalStep", "signalMax", "signalDecay"] as const

const checkFeeSignal = Effect.fnUntraced(function*(client: ReturnType<typeof createPublicClient>, deployment: Deployment, parameters: ProtocolParameters) {
  const signal = { address: deployment.feeSignal, abi: feeSignalAbi } as const
  const step = "checking the fee signal"
  const [vault, ...set] = yield* attempt(step, () =>
    Promise.all([
      client.readContract({ ...signal, functionName: "reputation" }),
      ...signalParameters.map((functionName) => client.readContract({ ...signal, functionName }))
    ]))
  yield* expect(step, vault === deployment.vault, "the fee signal asks another contract for reputation")
  yield* expect(step, signalParameters.every((name, index) => set[index] === parameters[name]), "the fee signal holds other parameters")
})

const DeploymentJson = Schema.fromJsonString(Deployment)

/** Reads an addresses file. */
export const readDeployment = Effect.fn("readDeployment")(function*(
  path: string
): Effect.fn.Return<Deployment, DeploymentUnreadable, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.readFileString(path).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(DeploymentJson)),
    Effect.mapError((error) => new DeploymentUnreadable({ path, reason: error.message }))
  )
})

/** Writes an addresses file, whole or not at all. Its folder is made if it does not exist. */
export const writeDeployment = Effect.fn("writeDeployment")(function*(path: string, deployment: Deployment) {
  const fs = yield* FileSystem.FileSystem
  const json = yield* Effect.orDie(Schema.encodeEffect(Deployment)(deployment))
  const temporary = `${path}.tmp`
  yield* fs.makeDirectory(dirname(path), { recursive: true })
  yield* fs.writeFileString(temporary, `${JSON.stringify(json, null, 2)}\n`)
  yield* fs.rename(temporary, path)
})
