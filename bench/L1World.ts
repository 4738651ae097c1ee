/**
 * A fresh L1 with the contracts on it, and what the black box does there, for benches and tests.
 */
import { Context, Effect, Layer, Schedule } from "effect"
import { type Abi, createPublicClient, createWalletClient, http, type LocalAccount } from "viem"
import { l1Accounts } from "../src/devnet/Chain.ts"
import { l1ChainId } from "../src/devnet/DevnetConfig.ts"
import { BlockRef, type Header } from "../src/domain/Block.ts"
import { Checkpoint, checkpointDigest, genesisCheckpoint, type QuorumCertificate } from "../src/domain/Checkpoint.ts"
import type { Address } from "../src/domain/Hash.ts"
import { certifyDigest, quorumOf } from "../src/domain/QuorumCertificate.ts"
import { defaultParameters } from "../src/domain/ProtocolParameters.ts"
import { checkpointRegistryAbi, proverRegistryAbi } from "../src/l1/abi.ts"
import * as Anvil from "../src/l1/Anvil.ts"
import { buildContracts } from "../src/l1/ContractBuild.ts"
import { deploy } from "../src/l1/Deploy.ts"
import { L1, type Update } from "../src/l1/L1.ts"
import * as ViemL1 from "../src/l1/ViemL1.ts"
import { DevnetLedgerConfig } from "../src/ledger/DevnetLedgerConfig.ts"
import { devnetValidatorKeys, devnetValidatorRegistration } from "../src/ledger/Validators.ts"
import { loadVerifyingKeys } from "../src/proofs/CircuitKeys.ts"

const refOf = (header: Header) => new BlockRef({ number: header.number, hash: header.hash })

/** A fresh chain with the contracts on it, and L1 as a node sees it. */
export const freshWorld = Effect.fnUntraced(function*(
  seed: string,
  genesis: Header,
  validators: number,
  registration = devnetValidatorRegistration(new DevnetLedgerConfig({ seed, validators })),
  parameters = defaultParameters
) {
  const config = new DevnetLedgerConfig({ seed, validators })
  const { url } = yield* Anvil.start({ port: 0, chainId: l1ChainId })
  const deployment = yield* deploy({
    url,
    chainId: l1ChainId,
    account: l1Accounts.sequencer,
    contracts: yield* buildContracts(),
    genesis: { number: genesis.number, hash: genesis.hash, stateRoot: genesis.stateRoot },
    validators: registration,
    verifyingKeys: yield* loadVerifyingKeys(),
    parameters
  })
  const l1 = yield* Layer.build(Layer.provide(ViemL1.layer, Layer.succeed(ViemL1.ViemL1Options, {
    url,
    chainId: l1ChainId,
    privateKey: l1Accounts.proverKey,
    deployedAt: deployment.block,
    registry: deployment.registry,
    stateUpdate: deployment.stateUpdate,
    vault: deployment.vault,
    provers: deployment.provers,
    feeSignal: deployment.feeSignal
  })))
  return { url, deployment, config, l1: Context.get(l1, L1) }
})

export type World = Effect.Success<ReturnType<typeof freshWorld>>

/** Sends a transaction, the sequencer's unless told, and answers the gas that it used. */
export const send = ({ url }: Pick<World, "url">, request: { readonly address: Address; readonly abi: Abi; readonly functionName: string; readonly args?: ReadonlyArray<unknown>; readonly value?: bigint }, account: LocalAccount = l1Accounts.sequencer) =>
  Effect.promise(async () => {
    const client = createPublicClient({ transport: http(url), pollingInterval: 20 })
    const wallet = createWalletClient({ transport: http(url), account })
    const hash = await wallet.writeContract({ ...request, args: request.args ?? [], chain: null } as never)
    const { gasUsed, status } = await client.waitForTransactionReceipt({ hash })
    if (status !== "success") throw new Error(`${request.functionName} was reverted`)
    return Number(gasUsed)
  })

/** The checkpoint of a block, behind another one. */
export const checkpointOf = (parent: Checkpoint, header: Header) =>
  new Checkpoint({ parent: parent.id, number: header.number, blockHash: header.hash, stateRoot: header.stateRoot })

/** The certificate of the first so many validators of a world. */
export const certify = ({ config, deployment }: World, checkpoint: Checkpoint, signers = quorumOf(config.validators)): QuorumCertificate => {
  const digest = checkpointDigest({ chainId: BigInt(l1ChainId), registry: deployment.registry, epoch: 0n }, checkpoint.id)
  return certifyDigest(digest, new Map(devnetValidatorKeys(config).slice(0, signers).map(({ secretKey }, index) => [index, secretKey])))
}

/** Brings a checkpoint to the registry; answers the gas that it used. */
export const register = (world: World, checkpoint: Checkpoint, { signature, signers } = certify(world, checkpoint)) =>
  send(world, {
    address: world.deployment.registry,
    abi: checkpointRegistryAbi,
    functionName: "register",
    args: [
      { parentId: checkpoint.parent, number: BigInt(checkpoint.number), blockHash: checkpoint.blockHash, stateRoot: checkpoint.stateRoot },
      signers,
      signature
    ]
  })

/** Registers a chain of checkpoints behind genesis, each certified by just the quorum; answers the gas of the last. */
export const registerChain = Effect.fnUntraced(function*(world: World, genesis: Header, headers: ReadonlyArray<Header>) {
  let last = genesisCheckpoint(refOf(genesis), genesis.stateRoot)
  let gas = 0
  const checkpoints: Array<Checkpoint> = []
  for (const header of headers) {
    last = checkpointOf(last, header)
    gas = yield* register(world, last)
    checkpoints.push(last)
  }
  return { checkpoints, gas }
})

/** Has an account take part in turns (ST-6), the sequencer's unless told; answers the gas that it used. */
export const joinTurns = (world: World, account: LocalAccount = l1Accounts.sequencer) =>
  send(world, { address: world.deployment.provers, abi: proverRegistryAbi, functionName: "register", value: defaultParameters.bond }, account)

/** Brings an update to L1 as the settler does; answers the gas that it used. */
export const settle = Effect.fnUntraced(function*({ l1 }: World, update: Update) {
  const { baseFee, priorityFee } = yield* l1.gasMarket
  const call = { kind: "update", update } as const
  const signed = yield* l1.sign(call, yield* l1.dryRun(call), { maxFeePerGas: 2n * baseFee + priorityFee, maxPriorityFeePerGas: priorityFee })
  yield* l1.send(signed)
  const receipt = yield* l1.receipt(signed.hash).pipe(
    Effect.flatMap(Effect.fromOption),
    Effect.retry({ schedule: Schedule.spaced("20 millis"), times: 500 })
  )
  if (!receipt.succeeded) return yield* Effect.die(new Error("the update was reverted"))
  return Number(receipt.gasUsed)
})
