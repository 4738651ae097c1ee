/**
 * What a node's roles stand on, made from what its operator decided: the same for a lone node and for a host of a cluster.
 */
import { Context, Duration, Effect, Layer, Redacted, Schema } from "effect"
import { ProverGas } from "../domain/Amount.ts"
import { defaultHintRules } from "../domain/planning/Peers.ts"
import { devnetSchedule } from "../domain/ProverGasSchedule.ts"
import { type HintDomain, HintSigner, makeHintSigner } from "../gossip/HintSignature.ts"
import * as Libp2pGossip from "../gossip/Libp2pGossip.ts"
import type { Libp2pGossipOptions } from "../gossip/libp2p/Options.ts"
import type { Deployment } from "../l1/Deploy.ts"
import { BigFrom } from "../jobs/ProofJobs.ts"
import { L1PollInterval } from "../l1/Follower.ts"
import { makeL1GasPrice } from "../l1/L1GasPrice.ts"
import * as ViemL1 from "../l1/ViemL1.ts"
import * as RemoteLedger from "../ledger/RemoteLedger.ts"
import { loadKeys } from "../proofs/CircuitKeys.ts"
import * as Groth16 from "../proofs/Groth16.ts"
import { FeeOptions } from "../roles/FeeController.ts"
import { SettlerOptions } from "../roles/Settler.ts"
import { PlannerOptions } from "../roles/TreePlanner.ts"
import { PrivateFileUnusable, readPrivateFile } from "../rpc/PrivateFile.ts"
import { RoleTransport } from "../rpc/RoleTransport.ts"
import type { Address, Secret } from "../rpc/SecureSocket.ts"
import * as SocketTransport from "../rpc/SocketTransport.ts"
import type { L1Config, NodeConfig, ProvingConfig } from "./NodeConfig.ts"
import type { Costs } from "./NodeService.ts"

/** The private key of the account that sends and is paid. */
export const readL1Key = (path: string) =>
  Effect.flatMap(readPrivateFile(path), (text) =>
    /^0x[0-9a-fA-F]{64}$/.test(Redacted.value(text))
      ? Effect.succeed(text as Redacted.Redacted<`0x${string}`>)
      : Effect.fail(new PrivateFileUnusable({ path, reason: "it is no private key, which is 0x and 64 hexadecimal digits" })))

/** The keys are not those that L1 verifies with: whatever they prove, L1 refuses. */
export class KeysForeign extends Schema.TaggedError<KeysForeign>()("KeysForeign", { keys: Schema.String, contracts: Schema.String }) {
  override get message() {
    return `the contracts of ${this.contracts} verify with other keys than those in ${this.keys}: L1 would refuse every proof; use the keys of that deployment`
  }
}

/** What proves and verifies. It depends on nothing on L1 but that the keys are those of its contracts, which is checked later. */
export const provingSystem = Effect.fnUntraced(function*({ command, keys: folder, niceness, workers }: Omit<typeof ProvingConfig.Type, "bigFrom">) {
  const keys = yield* loadKeys(folder)
  const layer = Groth16.layer({ keys, workers, niceness, ...(command === undefined ? {} : { externalProver: { command } }) })
  return yield* Layer.build(layer)
})

/** L1 as the operator's account sees it. */
export const l1Port = (url: string, { block, ...contracts }: Deployment, privateKey: Redacted.Redacted<`0x${string}`>) =>
  Layer.provide(ViemL1.layer, Layer.succeed(ViemL1.ViemL1Options, { ...contracts, url, privateKey, deployedAt: block }))

/** The ledger where consensus serves it. */
export const ledgerPort = (locate: Address, secret: Secret) =>
  Layer.provide(RemoteLedger.layer, Layer.succeed(RoleTransport, SocketTransport.connecting({ secret, locate: Effect.succeed(locate) })))

/** The other provers, and the signature that makes them listen. */
export const peersPort = (
  gossip: NonNullable<NodeConfig["gossip"]>,
  identity: Pick<Libp2pGossipOptions, "identity" | "identityFile">,
  { chainId, stateUpdate }: Deployment,
  privateKey: Redacted.Redacted<`0x${string}`>
) => {
  const domain: HintDomain = { chainId: BigInt(chainId), stateUpdate }
  return Layer.merge(Libp2pGossip.layer({ domain, ...gossip, ...identity }), Layer.succeed(HintSigner, makeHintSigner(domain, privateKey)))
}

/** What an operator decides about its roles. */
export interface Decisions extends Pick<NodeConfig, "rollup" | "work" | "settling" | "flagging"> {
  readonly l1: Pick<typeof L1Config.Type, "url" | "pollInterval" | "confirmations">
  readonly proving: Pick<typeof ProvingConfig.Type, "bigFrom">
}

/** What the roles are told of the operator's decisions. */
export const roleOptions = Effect.fnUntraced(function*({ flagging, l1, proving, rollup, settling, work }: Decisions, costs: Costs) {
  const { parameters } = rollup
  return Context.make(L1PollInterval, l1.pollInterval).pipe(
    Context.add(PlannerOptions, {
      reservationPrice: Effect.sync(() => costs.reservationPrice),
      shares: parameters.shares,
      bonus: parameters,
      strategy: work.strategy,
      peers: work.peers,
      hints: defaultHintRules
    }),
    Context.add(BigFrom, proving.bigFrom),
    Context.add(SettlerOptions, {
      ...settling,
      parameters,
      races: settling.when === "race",
      confirmations: l1.confirmations
    }),
    Context.add(FeeOptions, {
      rule: rollup.price,
      blockGas: ProverGas.make(BigInt(rollup.slots) * devnetSchedule.transfer),
      settlement: { gas: rollup.settlementGas, l1GasPrice: yield* makeL1GasPrice(l1.url) },
      signal: {
        ...parameters,
        blockTime: Duration.toSeconds(rollup.blockTime),
        checkpointInterval: rollup.checkpointInterval
      },
      ...(flagging === undefined ? {} : {
        flagging: {
          get costPerGas() {
            return costs.provingCost
          },
          minMargin: flagging.minMargin,
          // With Groth16, nothing is merged: the merge share is the leaf prover's, too (RW-2).
          leafShare: parameters.shares.leaf + parameters.shares.merge,
          flagAfter: BigInt(Math.ceil(Duration.toSeconds(flagging.flagAfter)))
        }
      })
    })
  )
})
