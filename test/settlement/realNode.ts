/**
 * A whole node over the real contracts on a real chain, with real proofs of the two blocks of a {@link fixedLedger}.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Effect, Layer, Schedule } from "effect"
import { freshWorld, send, type World } from "../../bench/L1World.ts"
import { ProverGas } from "../../src/domain/Amount.ts"
import { defaultParameters, type ProtocolParameters } from "../../src/domain/ProtocolParameters.ts"
import { rewardVaultAbi } from "../../src/l1/abi.ts"
import { L1PollInterval } from "../../src/l1/Follower.ts"
import { L1 } from "../../src/l1/L1.ts"
import { devnetPriceRule } from "../../src/ledger/DevnetLedgerConfig.ts"
import { embeddedStore } from "../../src/node/EmbeddedStore.ts"
import { connectRoles } from "../../src/node/ProverNode.ts"
import { loadKeys } from "../../src/proofs/CircuitKeys.ts"
import * as Groth16 from "../../src/proofs/Groth16.ts"
import { FeeOptions } from "../../src/roles/FeeController.ts"
import { SettlerOptions } from "../../src/roles/Settler.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import type { fixedLedger } from "./fixedLedger.ts"

/** The contracts on a fresh chain, with pots for all blocks. */
export class Scene extends Context.Service<Scene, World>()("test/Scene") {}

/** All that the roles stand on, and the roles as clients; the node is not started yet. */
export const realNode = (
  seed: string,
  ledger: ReturnType<typeof fixedLedger>,
  { fees, parameters = defaultParameters }: { readonly parameters?: ProtocolParameters; readonly fees?: Partial<FeeOptions> } = {}
) => {
  const scene = Layer.effectContext(Effect.gen(function*() {
    const made = yield* freshWorld(seed, ledger.genesis, 4, undefined, parameters)
    yield* send(made, { address: made.deployment.vault, abi: rewardVaultAbi, functionName: "fund", value: ledger.pots })
    return Context.make(Scene, made).pipe(Context.add(L1, made.l1))
  }))
  return connectRoles.pipe(
    Layer.provideMerge(Layer.mergeAll(
      scene,
      ledger.layer,
      MemoryTransport.layer,
      Layer.provideMerge(embeddedStore(":memory:"), Layer.unwrap(Effect.map(loadKeys(), (keys) => Groth16.layer({ keys })))),
      Layer.succeed(SettlerOptions, {
        blocksPerUpdate: 2,
        maxBlocks: 2,
        patience: "5 minutes",
        parameters,
        maxFeePerGas: 500n * 10n ** 9n,
        profitableOnly: false,
        replaceAfter: "30 seconds",
        confirmations: 1
      }),
      Layer.succeed(FeeOptions, { rule: devnetPriceRule, blockGas: ProverGas.make(32_000n), ...fees }),
      Layer.succeed(L1PollInterval, "50 millis")
    )),
    Layer.provideMerge(NodeServices.layer)
  )
}

/** Tries again for minutes: the machine may be busy. */
export const eventually = <A, E, R>(what: Effect.Effect<A, E, R>) => what.pipe(Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 1_800 }))
