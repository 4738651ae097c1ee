/** Short histories of calls to the pure contracts, for tests of single rules: who calls is nobody's business unless a test says so. */
import { Result } from "effect"
import { BlockNumber, ProverGas, Wei } from "../../../src/domain/Amount.ts"
import { BlockRef } from "../../../src/domain/Block.ts"
import { Checkpoint, genesisCheckpoint, QuorumCertificate } from "../../../src/domain/Checkpoint.ts"
import { type Address, CheckpointId, StateRoot, toHex32 } from "../../../src/domain/Hash.ts"
import { Leaf } from "../../../src/domain/Proof.ts"
import { defaultParameters, type ProtocolParameters } from "../../../src/domain/ProtocolParameters.ts"
import type { Emission } from "../../../src/domain/settlement/Emission.ts"
import type { StatedTransition } from "../../../src/domain/Redundancy.ts"
import type { Update } from "../../../src/domain/settlement/Update.ts"
import { type Event, observe, start, type State, step } from "../../../src/domain/Settlement.ts"
import { prover, ref } from "../builders.ts"

/** When the contracts were deployed: an L1 time that is no multiple of any duration. */
export const begin = 1_800_000_123n

export const hour = 3600n
export const minute = 60n
export const ether = 10n ** 18n

/** Whoever calls when nothing depends on it. */
export const bystander = prover(0xee)

const root = (number: number, fork: number) => StateRoot.make(toHex32(BigInt(number) + (BigInt(fork) << 64n) + 1n))

const genesis = genesisCheckpoint(ref(0), root(0, 0))

export const checkpointAt = (parent: Checkpoint, number: number, fork = 0) =>
  new Checkpoint({ parent: parent.id, number: BlockNumber.make(number), blockHash: ref(number, fork).hash, stateRoot: root(number, fork) })

/** Leaves of the blocks in a range, both ends included. */
export const leaves = (first: number, last: number, by: Address = prover(1), fees = ether, gas = 16_000n, fork = 0) =>
  Array.from({ length: last - first + 1 }, (_, i) =>
    new Leaf({ blockHash: ref(first + i, fork).hash, prover: by, proverFees: Wei.make(fees), proverGas: ProverGas.make(gas) }))

/** A certificate as good as all of a set of four. */
export const signed = (signers = 15n, signatureHolds = true) => ({
  certificate: new QuorumCertificate({ signers, signature: "0x" }),
  signatureHolds
})

type Without<E, K extends PropertyKey> = E extends unknown ? Omit<E, K> : never
/** A call without the time, which the scenario knows, and without its sender unless it matters. */
export type Calling = Without<Event, "at" | "sender"> & { readonly sender?: Address }

/** The pure contracts after a deployment with four validators, and what happens to them. */
export class Scenario {
  readonly genesis = genesis
  state: State
  at = begin
  /** The newest checkpoint. */
  head: Checkpoint = genesis

  constructor(parameters: Partial<ProtocolParameters> = {}) {
    this.state = start({
      parameters: { ...defaultParameters, ...parameters },
      genesis,
      validators: 4,
      systems: new Map([[1, { bindsMergers: false }], [2, { bindsMergers: true }]]),
      registryAt: begin - 10n,
      stateUpdateAt: begin
    })
  }

  wait(seconds: bigint): this {
    this.at += seconds
    return this
  }

  #step(call: Calling) {
    return step(this.state, { sender: bystander, ...call, at: this.at } as Event)
  }

  /** Makes a call that must succeed; answers what the contracts emit. */
  call(call: Calling): ReadonlyArray<Emission> {
    const { effects, state } = Result.getOrThrow(this.#step(call))
    this.state = state
    return effects
  }

  /** Makes a call that must be refused; answers the custom error and its arguments. */
  refused(call: Calling): ReadonlyArray<unknown> {
    const stepped = this.#step(call)
    if (Result.isSuccess(stepped)) throw new Error(`${call._tag} was not refused`)
    const { args, error } = stepped.failure
    return [error, ...args]
  }

  /** Registers the next checkpoint. */
  checkpoint(number: number, fork = 0): Checkpoint {
    const checkpoint = checkpointAt(this.head, number, fork)
    this.call({ _tag: "RegisterCheckpoint", checkpoint, ...signed() })
    return this.head = checkpoint
  }

  provers(...addresses: ReadonlyArray<Address>): void {
    for (const sender of addresses) this.call({ _tag: "RegisterProver", sender, value: this.state.parameters.bond })
  }

  /** A good update from the tip to a block, continued by the last of the checkpoints. */
  updateTo(to: number, checkpoints: ReadonlyArray<Checkpoint> = [this.head], change: Partial<Update> = {}): Update {
    const { hash, number } = this.state.tip
    return { system: 1, from: hash, leaves: leaves(number + 1, to), mergers: [], checkpoints, ...change }
  }

  submit(update: Update, sender: Address = bystander): ReadonlyArray<Emission> {
    return this.call({ _tag: "SubmitUpdate", sender, update, proofHolds: true })
  }

  refusedUpdate(update: Update, proofHolds = true): ReadonlyArray<unknown> {
    return this.refused({ _tag: "SubmitUpdate", update, proofHolds })
  }

  /** What an account has been credited and did not draw, in wei. */
  credit(account: Address): bigint {
    return this.state.vault.accounts.get(account)?.credit ?? 0n
  }

  observed(...accounts: ReadonlyArray<Address>) {
    return observe(this.state, this.at, accounts)
  }
}

/** The transition of the last update, from what it emitted and what was submitted. */
export const transitionOf = (before: State, update: Update, emitted: ReadonlyArray<Emission>, settledAt: bigint): StatedTransition => {
  const opened = emitted.find(({ _tag }) => _tag === "RedundancyOpened")
  if (opened?._tag !== "RedundancyOpened") throw new Error("no redundancy turn was opened")
  const { holder, shares } = opened
  return { from: new BlockRef({ hash: before.tip.hash, number: before.tip.number }), leaves: update.leaves.slice(-shares.length), shares, holder, settledAt }
}

export const unknownId = CheckpointId.make(toHex32(77n))

/** The emissions of some kinds. */
export const only = <Tag extends Emission["_tag"]>(emitted: ReadonlyArray<Emission>, ...tags: ReadonlyArray<Tag>) =>
  emitted.filter((each): each is Extract<Emission, { readonly _tag: Tag }> => (tags as ReadonlyArray<string>).includes(each._tag))
