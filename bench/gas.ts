/**
 * What settlement costs on L1: real proofs and certificates, on a real chain, through the node's own L1 port.
 */
import { NodeServices } from "@effect/platform-node"
import { Context, Effect, Layer, Redacted } from "effect"
import { type Abi, createPublicClient, createWalletClient, http } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import { l1Accounts } from "../src/devnet/Chain.ts"
import { l1ChainId } from "../src/devnet/DevnetConfig.ts"
import { BlockRef, type Header } from "../src/domain/Block.ts"
import { Checkpoint, checkpointDigest, genesisCheckpoint } from "../src/domain/Checkpoint.ts"
import { type Address, toAddress } from "../src/domain/Hash.ts"
import type { AncestryProof } from "../src/domain/Proof.ts"
import { certifyDigest, quorumOf } from "../src/domain/QuorumCertificate.ts"
import { defaultShares } from "../src/domain/Rewards.ts"
import { checkpointRegistryAbi, rewardVaultAbi } from "../src/l1/abi.ts"
import * as Anvil from "../src/l1/Anvil.ts"
import { buildContracts } from "../src/l1/ContractBuild.ts"
import { deploy } from "../src/l1/Deploy.ts"
import { L1, type Update } from "../src/l1/L1.ts"
import * as ViemL1 from "../src/l1/ViemL1.ts"
import { DevnetLedgerConfig } from "../src/ledger/DevnetLedgerConfig.ts"
import { devnetValidatorKeys, devnetValidatorRegistration } from "../src/ledger/Validators.ts"
import { loadKeys, loadVerifyingKeys } from "../src/proofs/CircuitKeys.ts"
import * as Groth16 from "../src/proofs/Groth16.ts"
import { ProofSystem } from "../src/proofs/ProofSystem.ts"
import { fullBlocks } from "./Blocks.ts"
import { type Bench, type BenchOptions, type Measurements, median } from "./Report.ts"

const blockCount = 8
/** Blocks between END and the checkpoint's block, where the two are not the same. */
const distance = 2

const refOf = (header: Header) => new BlockRef({ number: header.number, hash: header.hash })

/** A fresh chain with the contracts on it, and L1 as a node sees it. */
const freshWorld = Effect.fnUntraced(function*(seed: string, genesis: Header, validators: number) {
  const config = new DevnetLedgerConfig({ seed, validators })
  const { url } = yield* Anvil.start({ port: 0, chainId: l1ChainId })
  const deployment = yield* deploy({
    url,
    chainId: l1ChainId,
    account: l1Accounts.sequencer,
    contracts: yield* buildContracts(),
    genesis: { number: genesis.number, hash: genesis.hash, stateRoot: genesis.stateRoot },
    validators: devnetValidatorRegistration(config),
    verifyingKeys: yield* loadVerifyingKeys(),
    shares: defaultShares
  })
  const l1 = yield* Layer.build(Layer.provide(ViemL1.layer, Layer.succeed(ViemL1.ViemL1Options, {
    url,
    chainId: l1ChainId,
    privateKey: l1Accounts.proverKey,
    deployedAt: deployment.block,
    registry: deployment.registry,
    stateUpdate: deployment.stateUpdate,
    vault: deployment.vault
  })))
  return { url, deployment, config, l1: Context.get(l1, L1) }
})

type World = Effect.Success<ReturnType<typeof freshWorld>>

/** Sends a transaction of the sequencer's and answers the gas that it used. */
const send = ({ url }: World, request: { readonly address: Address; readonly abi: Abi; readonly functionName: string; readonly args?: ReadonlyArray<unknown>; readonly value?: bigint }) =>
  Effect.promise(async () => {
    const client = createPublicClient({ transport: http(url), pollingInterval: 20 })
    const wallet = createWalletClient({ transport: http(url), account: l1Accounts.sequencer })
    const hash = await wallet.writeContract({ ...request, args: request.args ?? [], chain: null } as never)
    const { gasUsed, status } = await client.waitForTransactionReceipt({ hash })
    if (status !== "success") throw new Error(`${request.functionName} was reverted`)
    return Number(gasUsed)
  })

/** Registers a chain of checkpoints, each certified by just the quorum; answers the gas of the last. */
const registerCheckpoints = Effect.fnUntraced(function*(world: World, genesis: Header, headers: ReadonlyArray<Header>) {
  const keys = devnetValidatorKeys(world.config)
  let parent = genesisCheckpoint(refOf(genesis), genesis.stateRoot)
  let gas = 0
  const checkpoints: Array<Checkpoint> = []
  for (const header of headers) {
    const checkpoint = new Checkpoint({ parent: parent.id, number: header.number, blockHash: header.hash, stateRoot: header.stateRoot })
    const digest = checkpointDigest({ chainId: BigInt(l1ChainId), registry: world.deployment.registry, epoch: 0n }, checkpoint.id)
    const signers = new Map(keys.slice(0, quorumOf(keys.length)).map((key, index) => [index, key.secretKey]))
    const { signature, signers: bitmap } = certifyDigest(digest, signers)
    const preimage = { parentId: checkpoint.parent, number: BigInt(checkpoint.number), blockHash: checkpoint.blockHash, stateRoot: checkpoint.stateRoot }
    gas = yield* send(world, { address: world.deployment.registry, abi: checkpointRegistryAbi, functionName: "register", args: [preimage, bitmap, signature] })
    checkpoints.push(checkpoint)
    parent = checkpoint
  }
  return { checkpoints, gas }
})

/** Brings an update to L1 as the settler does; answers the gas that it used. */
const settle = Effect.fnUntraced(function*({ l1 }: World, update: Update) {
  const signed = yield* l1.sign(update, yield* l1.dryRun(update))
  yield* l1.send(signed)
  const receipt = yield* Effect.flatMap(l1.receipt(signed.hash), Effect.fromOption)
  if (!receipt.succeeded) return yield* Effect.die(new Error("the update was reverted"))
  return Number(receipt.gasUsed)
})

const program = ({ progress, runs, seed }: BenchOptions) =>
  Effect.gen(function*() {
    const { blocks: executions, genesis } = fullBlocks(`bench/${seed}`, blockCount + distance)
    const headers = executions.map(({ block }) => block.header)
    const [end, later] = [headers[blockCount - 1]!, headers[blockCount + distance - 1]!]
    const system = yield* ProofSystem
    const prover = toAddress(privateKeyToAddress(Redacted.value(l1Accounts.proverKey)))

    progress(`proving ${blockCount} blocks and the ancestry of the last`)
    const quiet = () => Effect.void
    const [proofs, ancestry] = yield* Effect.all([
      Effect.forEach(executions.slice(0, blockCount), ({ witness }) => system.proveBlock(witness, prover, quiet), { concurrency: "unbounded" }),
      system.proveAncestry(headers.slice(blockCount - 1), quiet)
    ], { concurrency: "unbounded" })
    const [first, ...rest] = proofs
    let proof = first!
    for (const each of rest) proof = yield* system.merge(proof, each)

    const measure = Effect.fnUntraced(function*(validators: number) {
      const update = (checkpoints: ReadonlyArray<Checkpoint>, link: AncestryProof | undefined): Update => ({
        statement: proof.statement,
        system: proof.system,
        checkpoints,
        ancestry: link?.via ?? [],
        proof: system.encodeForL1(proof, link)
      })
      const fund = (world: World) => send(world, { address: world.deployment.vault, abi: rewardVaultAbi, functionName: "fund", value: proof.statement.proverFees })

      const own = yield* freshWorld(`bench/${seed}`, genesis, validators)
      yield* fund(own)
      const { checkpoints, gas: checkpoint } = yield* registerCheckpoints(own, genesis, [headers[0]!, end])
      const atCheckpoint = yield* settle(own, update(checkpoints, undefined))

      const other = yield* freshWorld(`bench/${seed}`, genesis, validators)
      yield* fund(other)
      const beyond = yield* registerCheckpoints(other, genesis, [later])
      const withAncestry = yield* settle(other, update(beyond.checkpoints, ancestry))
      return { checkpoint, atCheckpoint, withAncestry }
    }, Effect.scoped)

    const four: Array<Effect.Success<ReturnType<typeof measure>>> = []
    const sixtyFour: typeof four = []
    for (let run = 1; run <= runs; run++) {
      four.push(yield* measure(4))
      sixtyFour.push(yield* measure(64))
      progress(`run ${run} of ${runs}: ${JSON.stringify({ four: four.at(-1), sixtyFour: sixtyFour.at(-1) })}`)
    }
    const of = (figures: typeof four, name: keyof (typeof four)[number]) => median(figures.map((each) => each[name]))
    return {
      bars: [
        { id: "update of 8 blocks, END at a checkpoint's block", value: of(four, "atCheckpoint"), unit: "gas", atMost: 849_999 },
        { id: "update of 8 blocks with an ancestry proof", value: of(four, "withAncestry"), unit: "gas", atMost: 1_079_999 },
        { id: "checkpoint of 4 validators", value: of(four, "checkpoint"), unit: "gas", atMost: 259_999 },
        { id: "checkpoint of 64 validators", value: of(sixtyFour, "checkpoint"), unit: "gas", atMost: 299_999 }
      ],
      details: { blocks: blockCount, checkpointsPassed: 2, four, sixtyFour }
    } satisfies Measurements
  })

const services = Layer.unwrap(Effect.map(loadKeys(), (keys) => Groth16.layer({ keys })))

export const bench: Bench = {
  summary: "gas of state updates and checkpoints on L1",
  runs: 1,
  measure: (options) => Effect.runPromise(program(options).pipe(Effect.provide(services), Effect.provide(NodeServices.layer)))
}
