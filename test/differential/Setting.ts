/**
 * What histories begin with: one genesis block, a few validators, two proof systems.
 */
import { BlockNumber } from "../../src/domain/Amount.ts"
import { BlockRef } from "../../src/domain/Block.ts"
import { genesisCheckpoint } from "../../src/domain/Checkpoint.ts"
import type { ProtocolParameters } from "../../src/domain/ProtocolParameters.ts"
import { validatorKeyPairFrom } from "../../src/domain/QuorumCertificate.ts"
import { start, type State } from "../../src/domain/Settlement.ts"
import { blockAt } from "./Draws.ts"
import { validatorsOf } from "./History.ts"
import { mergingSystem, plainSystem } from "./Updates.ts"

/** Keys that validators can have. */
export const pairs = Array.from({ length: 7 }, (_, i) => validatorKeyPairFrom(`differential/${i}`))

const first = blockAt({ floors: [] }, 0)

export const genesis = genesisCheckpoint(new BlockRef({ number: BlockNumber.make(0), hash: first.hash }), first.stateRoot)

/** The state of a deployment. Times are L1 times in seconds. */
export const deployed = (parameters: ProtocolParameters, registryAt: bigint, stateUpdateAt: bigint): State =>
  start({
    parameters,
    genesis,
    validators: validatorsOf(pairs, 0n).length,
    systems: new Map([[plainSystem, { bindsMergers: false }], [mergingSystem, { bindsMergers: true }]]),
    registryAt,
    stateUpdateAt
  })
