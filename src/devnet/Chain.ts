/**
 * The devnet's L1: anvil with the contracts on it, saved after every block, so that it goes on where it was.
 */
import { Effect, FileSystem, Layer, Redacted, Schedule } from "effect"
import { join } from "node:path"
import { createPublicClient, http, type LocalAccount, toHex } from "viem"
import { mnemonicToAccount } from "viem/accounts"
import * as Anvil from "../l1/Anvil.ts"
import { buildContracts } from "../l1/ContractBuild.ts"
import { deploy, type Deployment, readDeployment, writeDeployment } from "../l1/Deploy.ts"
import type { L1 } from "../l1/L1.ts"
import * as ViemL1 from "../l1/ViemL1.ts"
import { devnetGenesis } from "../ledger/DevnetLedgerConfig.ts"
import { devnetValidatorRegistration } from "../ledger/Validators.ts"
import { loadVerifyingKeys } from "../proofs/CircuitKeys.ts"
import { type DevnetConfig, l1ChainId, maxOperators } from "./DevnetConfig.ts"

/** anvil's own accounts, known to everybody: each holds 10,000 ETH on a fresh chain. */
const mnemonic = "test test test test test test test test test test test junk"

const accountAt = (addressIndex: number) => mnemonicToAccount(mnemonic, { addressIndex })

/** What the operator at a place of the config sends from and is paid to. */
export const operatorAccount = (index: number) => {
  const account = accountAt(index + 1)
  return { account: account as LocalAccount, privateKey: Redacted.make(toHex(account.getHdKey().privateKey!)) }
}

/** Who sends what on the devnet's L1. */
export const l1Accounts = {
  /** Deploys, posts checkpoints and pays the collected prover fees in. */
  sequencer: accountAt(0) as LocalAccount,
  /** Private key of the first prover operator. */
  proverKey: operatorAccount(0).privateKey,
  /** Endows the protocol reserve. In scenarios it also does what anybody may do. */
  treasury: accountAt(maxOperators + 1) as LocalAccount
} as const

/** Where a data folder has the addresses of its contracts. */
export const addressesFile = (folder: string): string => join(folder, "addresses.json")

export interface DevnetChain {
  readonly url: string
  readonly deployment: Deployment
}

/** L1 as those see it who are no prover: they only read. */
export const layerL1 = ({ deployment, url }: DevnetChain): Layer.Layer<L1> =>
  Layer.provide(ViemL1.layer, Layer.succeed(ViemL1.ViemL1Options, {
    ...deployment,
    url,
    privateKey: l1Accounts.proverKey,
    deployedAt: deployment.block
  }))

/** Keeps the saved state at most a moment behind the chain. */
const keepSaving = (url: string, file: string) => {
  const client = createPublicClient({ transport: http(url), cacheTime: 0 })
  let saved = -1n
  const save = Effect.gen(function*() {
    const number = yield* Effect.promise(() => client.getBlockNumber())
    if (number === saved) return
    yield* Anvil.saveState(url, file)
    saved = number
  })
  return Effect.andThen(Effect.addFinalizer(() => Effect.ignore(save)), Effect.forkScoped(Effect.repeat(save, Schedule.spaced("200 millis"))))
}

/** The devnet's L1 before its contracts are there. */
export interface DevnetL1 {
  readonly url: string
  readonly folder: string
}

const stateFile = (folder: string) => join(folder, "l1.json")

/** Starts the L1 of a data folder, as it was saved. */
export const startL1 = Effect.fnUntraced(function*({ l1Port }: Pick<DevnetConfig, "l1Port">, folder: string) {
  const { url } = yield* Anvil.start({ port: l1Port, chainId: l1ChainId, state: stateFile(folder) })
  yield* Effect.logInfo(`L1 listens at ${url}`)
  return { url, folder } satisfies DevnetL1
})

/** Puts the contracts on an L1, if they are not there yet, and has it saved from then on. */
export const putContracts = Effect.fnUntraced(function*({ folder, url }: DevnetL1, config: Pick<DevnetConfig, "keys" | "ledger" | "parameters">) {
  const fs = yield* FileSystem.FileSystem
  const addresses = addressesFile(folder)
  let deployment: Deployment
  if (yield* fs.exists(addresses)) {
    deployment = yield* readDeployment(addresses)
  } else {
    const genesis = devnetGenesis(config.ledger).block
    const { possessions, publicKeys } = devnetValidatorRegistration(config.ledger)
    deployment = yield* deploy({
      url,
      chainId: l1ChainId,
      account: l1Accounts.sequencer,
      contracts: yield* buildContracts(),
      genesis: { number: genesis.number, hash: genesis.header.hash, stateRoot: genesis.header.stateRoot },
      validators: { publicKeys, possessions },
      verifyingKeys: yield* loadVerifyingKeys(config.keys),
      parameters: config.parameters
    })
    // In this order: where the addresses are known, the saved chain has the contracts.
    yield* Anvil.saveState(url, stateFile(folder))
    yield* writeDeployment(addresses, deployment)
    yield* Effect.logInfo(`contracts are deployed at block ${deployment.block}`)
  }
  yield* keepSaving(url, stateFile(folder))
  return { url, deployment } satisfies DevnetChain
})
