/**
 * What a transaction of the model's L1 does: `step`, with what its proof or certificate verifies to.
 */
import { Result } from "effect"
import type { Address } from "../domain/Hash.ts"
import { Leaf } from "../domain/Proof.ts"
import { type Event, type State, step } from "../domain/Settlement.ts"
import type { Emission } from "../domain/settlement/Emission.ts"
import type { Refusal } from "../domain/settlement/Refusal.ts"
import { proofSystemIds } from "../l1/abi.ts"
import { modelProofHolds } from "./ModelProofs.ts"
import type { ModelCall } from "./ModelTransaction.ts"

type CallOf<Kind extends ModelCall["kind"]> = Extract<ModelCall, { readonly kind: Kind }>

const updateEvent = ({ update }: CallOf<"update">) => {
  const { ancestry, checkpoints, mergers, proof, statement: { from, leaves }, system } = update
  const [end, continued] = [leaves[leaves.length - 1]!.blockHash, checkpoints[checkpoints.length - 1]?.blockHash]
  // Without ancestry the path is empty, and END is the checkpoint's own block.
  const path = continued === undefined || continued === end ? [] : [end, ...ancestry, continued]
  return {
    _tag: "SubmitUpdate",
    update: { system: proofSystemIds[system], from: from.hash, leaves, mergers, checkpoints },
    proofHolds: modelProofHolds({ from: from.hash, leaves, path }, proof)
  } as const
}

const redundantEvent = ({ redundant }: CallOf<"redundant">) => {
  const { mergers, proof, provers, system, transition } = redundant
  const { from, leaves } = transition
  const own = leaves.map((leaf, i) => new Leaf({ ...leaf, prover: provers[i] ?? leaf.prover }))
  return {
    _tag: "SubmitRedundant",
    redundancy: {
      transition,
      system: proofSystemIds[system],
      provers,
      mergers
    },
    proofHolds: modelProofHolds({ from: from.hash, leaves: own, path: [] }, proof)
  } as const
}

/** The call as `step` takes it; none where it calls nothing. Certificates are what `signatureHolds` says. */
const eventFor = (call: ModelCall, sender: Address, at: bigint, bond: bigint, signatureHolds: (call: CallOf<"checkpoint">) => boolean): Event | undefined => {
  const by = { sender, at }
  switch (call.kind) {
    case "update":
      return { ...by, ...updateEvent(call) }
    case "redundant":
      return { ...by, ...redundantEvent(call) }
    case "revert":
      return { ...by, _tag: "RevertUnproven", fallback: call.fallback, oldest: call.oldest }
    case "claim":
      return { ...by, _tag: "Claim", account: call.account, refused: false }
    case "flag":
      return { ...by, _tag: "Flag" }
    case "checkpoint":
      return { ...by, _tag: "RegisterCheckpoint", checkpoint: call.checkpoint, certificate: call.certificate, signatureHolds: signatureHolds(call) }
    case "join":
      return { ...by, _tag: "RegisterProver", value: bond }
    case "leave":
      return { ...by, _tag: "Deregister" }
    case "fund":
      return { ...by, _tag: "Fund", amount: call.amount }
    case "endow":
      return { ...by, _tag: "Endow", amount: call.amount }
    case "lapse":
      return { ...by, _tag: "Lapse" }
    case "nothing":
      return undefined
  }
}

/** Runs a call against a state; what is refused changes nothing. */
export const execute = (
  state: State,
  call: ModelCall,
  sender: Address,
  at: bigint,
  signatureHolds: (call: CallOf<"checkpoint">) => boolean
): Result.Result<{ readonly state: State; readonly effects: ReadonlyArray<Emission> }, Refusal> => {
  const event = eventFor(call, sender, at, state.parameters.bond, signatureHolds)
  return event === undefined ? Result.succeed({ state, effects: [] }) : step(state, event)
}

/** A refusal as nodes read it: the custom error with its arguments. */
export const errorOf = ({ args, error }: Refusal): string => `${error}(${args.join(", ")})`
