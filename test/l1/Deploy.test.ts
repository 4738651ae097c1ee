import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { createPublicClient, createWalletClient, http, type LocalAccount, parseEventLogs, toFunctionSelector } from "viem"
import { mnemonicToAccount } from "viem/accounts"
import { anvil } from "viem/chains"
import { BlockNumber } from "../../src/domain/Amount.ts"
import { Checkpoint, checkpointDigest } from "../../src/domain/Checkpoint.ts"
import { BlockHash, type CheckpointId, StateRoot, toHex32 } from "../../src/domain/Hash.ts"
import { certifyDigest, handOverDigest, provePossession, type ValidatorKeyPair, validatorKeyPairFrom } from "../../src/domain/QuorumCertificate.ts"
import { defaultParameters, ProtocolParameters } from "../../src/domain/ProtocolParameters.ts"
import { RewardShares } from "../../src/domain/Rewards.ts"
import { checkpointRegistryAbi, feeSignalAbi, groth16BatchVerifierAbi, proverRegistryAbi, rewardVaultAbi, stateUpdateAbi } from "../../src/l1/abi.ts"
import * as Anvil from "../../src/l1/Anvil.ts"
import { buildContracts } from "../../src/l1/ContractBuild.ts"
import { deploy, type Deployment, DeploymentFailed, DeploymentUnreadable, readDeployment, writeDeployment } from "../../src/l1/Deploy.ts"
import { loadVerifyingKeys } from "../../src/proofs/CircuitKeys.ts"

const chainId = anvil.id
const account = mnemonicToAccount("test test test test test test test test test test test junk") as LocalAccount
const genesis = { number: BlockNumber.make(0), hash: BlockHash.make(toHex32(1n)), stateRoot: StateRoot.make(toHex32(2n)) }
const validators = (count: number) => Array.from({ length: count }, (_, index) => validatorKeyPairFrom(`deploy/${index}`))
const registration = (pairs: ReadonlyArray<ValidatorKeyPair>) => ({
  publicKeys: pairs.map((pair) => pair.publicKey),
  possessions: pairs.map(provePossession)
})

/** A chain, and what a deployment on it takes. */
const chain = (pairs: ReadonlyArray<ValidatorKeyPair>) =>
  Effect.gen(function*() {
    const { url } = yield* Anvil.start({ port: 0, chainId })
    const options = {
      url,
      chainId,
      account,
      contracts: yield* buildContracts(),
      genesis,
      validators: registration(pairs),
      verifyingKeys: yield* loadVerifyingKeys(),
      parameters: defaultParameters
    }
    return {
      options,
      client: createPublicClient({ chain: anvil, transport: http(url), cacheTime: 0, pollingInterval: 20 }),
      wallet: createWalletClient({ account, chain: anvil, transport: http(url) })
    }
  })

type Chain = Effect.Success<ReturnType<typeof chain>>

const checkpointAfter = (parent: CheckpointId, number: number) =>
  new Checkpoint({
    parent,
    number: BlockNumber.make(number),
    blockHash: BlockHash.make(toHex32(BigInt(number) + 100n)),
    stateRoot: StateRoot.make(toHex32(BigInt(number) + 200n))
  })

const registerArguments = (checkpoint: Checkpoint, digest: `0x${string}`, pairs: ReadonlyArray<ValidatorKeyPair>, signers: ReadonlyArray<number>) => {
  const { signature, signers: bitmap } = certifyDigest(digest, new Map(signers.map((index) => [index, pairs[index]!.secretKey])))
  const { blockHash, number, parent, stateRoot } = checkpoint
  return [{ parentId: parent, number: BigInt(number), blockHash, stateRoot }, bitmap, signature] as const
}

const domainOf = ({ registry }: Deployment) => ({ chainId: BigInt(chainId), registry, epoch: 0n })

/** Registers a checkpoint and answers the receipt. */
const register = ({ client, wallet }: Chain, deployment: Deployment, args: ReturnType<typeof registerArguments>) =>
  Effect.promise(async () =>
    client.waitForTransactionReceipt({
      hash: await wallet.writeContract({ address: deployment.registry, abi: checkpointRegistryAbi, functionName: "register", args })
    }))

/** Why the registry refuses a checkpoint. */
const refusal = ({ client }: Chain, deployment: Deployment, args: ReturnType<typeof registerArguments>) =>
  Effect.tryPromise({
    try: () => client.simulateContract({ address: deployment.registry, abi: checkpointRegistryAbi, functionName: "register", args, gas: 10_000_000n }),
    catch: String
  }).pipe(Effect.flip)

describe("deployment on a real chain", () => {
  it.live("deploys, links and checks; the addresses file says where", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const here = yield* chain(validators(4))
      const deployment = yield* deploy(here.options)
      assert.strictEqual(deployment.block, 1)
      assert.strictEqual(yield* Effect.promise(() => here.client.getBlockNumber()), 6n)

      const file = `${yield* fs.makeTempDirectoryScoped()}/devnet/addresses.json`
      yield* writeDeployment(file, deployment)
      assert.deepStrictEqual(yield* readDeployment(file), deployment)
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)

  it.live("CP-1, CP-2: a certificate signed off-chain registers a checkpoint, within the gas bar", () =>
    Effect.gen(function*() {
      const pairs = validators(4)
      const here = yield* chain(pairs)
      const deployment = yield* deploy(here.options)
      const first = checkpointAfter(deployment.genesis, 4)
      yield* register(here, deployment, registerArguments(first, checkpointDigest(domainOf(deployment), first.id), pairs, [0, 1, 2, 3]))
      const second = checkpointAfter(first.id, 8)
      const receipt = yield* register(here, deployment, registerArguments(second, checkpointDigest(domainOf(deployment), second.id), pairs, [0, 2, 3]))

      const [event] = parseEventLogs({ abi: checkpointRegistryAbi, eventName: "CheckpointRegistered", logs: receipt.logs })
      assert.strictEqual(event!.args.id, second.id)
      assert.strictEqual(event!.args.signers, 0b1101n)
      assert.isBelow(Number(receipt.gasUsed), 260_000)
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)

  it.live("CP-2: refuses too few signers, another digest and another signer's place", () =>
    Effect.gen(function*() {
      const pairs = validators(4)
      const here = yield* chain(pairs)
      const deployment = yield* deploy(here.options)
      const checkpoint = checkpointAfter(deployment.genesis, 4)
      const digest = checkpointDigest(domainOf(deployment), checkpoint.id)

      assert.include(yield* refusal(here, deployment, registerArguments(checkpoint, digest, pairs, [1, 2])), "CP2_QuorumNotReached(uint256 signers, uint256 needed)")
      const otherChain = checkpointDigest({ ...domainOf(deployment), chainId: 1n }, checkpoint.id)
      assert.include(yield* refusal(here, deployment, registerArguments(checkpoint, otherChain, pairs, [0, 1, 2])), "CP2_SignatureInvalid()")
      const handOver = handOverDigest(domainOf(deployment), here.options.validators.publicKeys)
      assert.include(yield* refusal(here, deployment, registerArguments(checkpoint, handOver, pairs, [0, 1, 2])), "CP2_SignatureInvalid()")
      const [preimage, , signature] = registerArguments(checkpoint, digest, pairs, [0, 1, 2])
      assert.include(yield* refusal(here, deployment, [preimage, 0b1011n, signature]), "CP2_SignatureInvalid()")
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)

  it.live("CP-2: refuses a rogue key, before and on the chain", () =>
    Effect.gen(function*() {
      const pairs = validators(4)
      const here = yield* chain(pairs)
      const [, second, ...rest] = registration(pairs).possessions
      const possessions = [second!, second!, ...rest]
      const early = yield* Effect.flip(deploy({ ...here.options, validators: { ...here.options.validators, possessions } }))
      assert.instanceOf(early, DeploymentFailed)
      assert.match(early.message, /validator 0 does not prove that it holds its key/)

      const { provers } = yield* deploy(here.options)
      const { bytecode } = here.options.contracts.contracts.CheckpointRegistry
      const onChain = yield* Effect.flip(Effect.tryPromise({
        try: () =>
          here.wallet.deployContract({
            abi: checkpointRegistryAbi,
            bytecode,
            args: [
              { parentId: toHex32(0n), number: 0n, blockHash: genesis.hash, stateRoot: genesis.stateRoot },
              `0x${here.options.validators.publicKeys.map((key) => key.slice(2)).join("")}`,
              `0x${possessions.map((each) => each.slice(2)).join("")}`,
              provers,
              account.address
            ]
          }),
        catch: String
      }))
      assert.include(onChain, toFunctionSelector("CP3_PossessionInvalid(uint256)"))
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)

  it.live("CP-3: 64 validators fit into one transaction, and certify within the gas bar", () =>
    Effect.gen(function*() {
      const pairs = validators(64)
      const here = yield* chain(pairs)
      const deployment = yield* deploy(here.options)
      const all = pairs.map((_, index) => index)
      const first = checkpointAfter(deployment.genesis, 4)
      yield* register(here, deployment, registerArguments(first, checkpointDigest(domainOf(deployment), first.id), pairs, all))
      const second = checkpointAfter(first.id, 8)
      const digest = checkpointDigest(domainOf(deployment), second.id)
      const receipt = yield* register(here, deployment, registerArguments(second, digest, pairs, all.slice(21)))
      assert.isBelow(Number(receipt.gasUsed), 300_000)
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)

  it("RW-5: no contract takes orders from its deployer", () => {
    const callable = [...checkpointRegistryAbi, ...proverRegistryAbi, ...stateUpdateAbi, ...rewardVaultAbi, ...groth16BatchVerifierAbi, ...feeSignalAbi].flatMap((item) =>
      item.type === "function" && item.stateMutability !== "view" ? [item.name] : []
    )
    assert.deepStrictEqual(callable, [
      "register",
      "handOver",
      "revertTo",
      "register",
      "deregister",
      "withdraw",
      "submit",
      "submitRedundant",
      "revertUnproven",
      "fund",
      "endow",
      "reward",
      "rewardRedundancy",
      "forfeit",
      "lapse",
      "claim",
      "flag"
    ])
  })

  it.live("refuses another chain than the one meant, and says so", () =>
    Effect.gen(function*() {
      const here = yield* chain(validators(1))
      const failure = yield* Effect.flip(deploy({ ...here.options, chainId: 1 }))
      assert.match(failure.message, /is chain 31337, not 1/)
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)

  it.live("names the contract's own error when the chain refuses a contract", () =>
    Effect.gen(function*() {
      const here = yield* chain(validators(1))
      const { ancestry, block } = here.options.verifyingKeys
      const failure = yield* Effect.flip(deploy({ ...here.options, verifyingKeys: { block: ancestry, ancestry: block } }))
      assert.strictEqual(failure.step, "deploying Groth16BatchVerifier")
      assert.strictEqual(failure.reason, "ST3_KeyLength(20, 26)")
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)

  it.live("RW-2: the vault splits as it was told to", () =>
    Effect.gen(function*() {
      const here = yield* chain(validators(1))
      const shares = new RewardShares({ leaf: 1, merge: 2, submission: 3, redundancy: 4, reserve: 9990 })
      const deployment = yield* deploy({ ...here.options, parameters: new ProtocolParameters({ ...defaultParameters, shares }) })
      const split = yield* Effect.promise(() =>
        here.client.readContract({ address: deployment.vault, abi: rewardVaultAbi, functionName: "shares" }))
      assert.deepStrictEqual(split, { ...shares })
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)

  it.live("FM-3: reputation halves in the time that the vault was told", () =>
    Effect.gen(function*() {
      const here = yield* chain(validators(1))
      const deployment = yield* deploy({ ...here.options, parameters: new ProtocolParameters({ ...defaultParameters, reputationHalfLife: 1009 }) })
      const halfLife = yield* Effect.promise(() =>
        here.client.readContract({ address: deployment.vault, abi: rewardVaultAbi, functionName: "reputationHalfLife" }))
      assert.strictEqual(halfLife, 1009)
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)

  it.live("says which addresses file is unusable, and why", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const missing = yield* Effect.flip(readDeployment(`${directory}/none.json`))
      assert.instanceOf(missing, DeploymentUnreadable)
      assert.include(missing.message, `${directory}/none.json`)
      yield* fs.writeFileString(`${directory}/half.json`, `{ "chainId": 31337`)
      assert.include((yield* Effect.flip(readDeployment(`${directory}/half.json`))).message, "deploy again")
      yield* fs.writeFileString(`${directory}/other.json`, `{ "chainId": 31337, "registry": "0x00" }`)
      assert.instanceOf(yield* Effect.flip(readDeployment(`${directory}/other.json`)), DeploymentUnreadable)
    }).pipe(Effect.provide(NodeServices.layer)))
})
