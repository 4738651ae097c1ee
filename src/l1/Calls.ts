/**
 * What a node calls on L1: how each call is written, and what L1 says when it refuses one.
 */
import { Result } from "effect"
import { BaseError, decodeErrorResult, decodeFunctionData, encodeFunctionData, ExecutionRevertedError, getAbiItem, type Hex, isHex } from "viem"
import type { Checkpoint } from "../domain/Checkpoint.ts"
import { type Address, type BlockHash, toAddress } from "../domain/Hash.ts"
import { encodeTransition } from "../domain/Redundancy.ts"
import { checkpointRegistryAbi, feeSignalAbi, proofSystemIds, rewardVaultAbi, settlementErrorsAbi, stateUpdateAbi } from "./abi.ts"
import type { Call, RedundantProof, Update } from "./L1.ts"

/** The contracts that a node calls. */
export interface CallTargets {
  readonly stateUpdate: Address
  readonly vault: Address
  readonly feeSignal: Address
}

/** A call as a transaction carries it. */
export interface EncodedCall {
  readonly to: Address
  readonly data: Hex
}

const encodeCheckpoint = ({ blockHash, number, parent, stateRoot }: Checkpoint) => ({ parentId: parent, number: BigInt(number), blockHash, stateRoot })

/** The argument of `StateUpdate.submit`. */
export const encodeUpdate = (update: Update) => ({
  system: proofSystemIds[update.system],
  from: update.statement.from.hash,
  leaves: update.statement.leaves,
  mergers: update.mergers,
  checkpoints: update.checkpoints.map(encodeCheckpoint),
  ancestry: update.ancestry,
  proof: update.proof
})

/** The argument of `StateUpdate.submitRedundant`. */
export const encodeRedundant = ({ mergers, proof, provers, system, transition }: RedundantProof) => ({
  transition: encodeTransition(transition),
  system: proofSystemIds[system],
  provers,
  mergers,
  proof
})

/** Where a call goes, and how it is written. */
export const encodeCall = ({ feeSignal, stateUpdate, vault }: CallTargets, call: Call): EncodedCall => {
  switch (call.kind) {
    case "update":
      return { to: stateUpdate, data: encodeFunctionData({ abi: stateUpdateAbi, functionName: "submit", args: [encodeUpdate(call.update)] }) }
    case "redundant":
      return {
        to: stateUpdate,
        data: encodeFunctionData({ abi: stateUpdateAbi, functionName: "submitRedundant", args: [encodeRedundant(call.redundant)] })
      }
    case "revert": {
      const args = [encodeCheckpoint(call.fallback), encodeCheckpoint(call.oldest)] as const
      return { to: stateUpdate, data: encodeFunctionData({ abi: stateUpdateAbi, functionName: "revertUnproven", args }) }
    }
    case "claim":
      return { to: vault, data: encodeFunctionData({ abi: rewardVaultAbi, functionName: "claim", args: [call.account] }) }
    case "flag":
      return { to: feeSignal, data: encodeFunctionData({ abi: feeSignalAbi, functionName: "flag" }) }
  }
}

const submit = [getAbiItem({ abi: stateUpdateAbi, name: "submit" })]

const decodeSubmit = (data: Hex) =>
  Result.getOrElse(Result.try(() => decodeFunctionData({ abi: submit, data }).args[0]), () => undefined)

/** From where, and over how many blocks, an update is; none where the call is another one. */
export const updateRange = (data: Hex): { readonly from: BlockHash; readonly blocks: bigint } | undefined => {
  const update = decodeSubmit(data)
  return update && { from: update.from as BlockHash, blocks: BigInt(update.leaves.length) }
}

/** Who proved each block of an update, oldest first; none where the call is another one. */
export const updateProvers = (data: Hex): ReadonlyArray<Address> | undefined =>
  decodeSubmit(data)?.leaves.map(({ prover }) => toAddress(prover))

const errorsAbi = [...[...checkpointRegistryAbi, ...feeSignalAbi].filter((item) => item.type === "error"), ...settlementErrorsAbi]

/** A revert's custom error as `Name(arguments)`; none when the error is not a revert. */
export const revertOf = (error: unknown): string | undefined => {
  if (!(error instanceof BaseError)) return undefined
  const carrier = error.walk((each) => each !== null && typeof each === "object" && "data" in each && isHex(each.data))
  const data = carrier === null ? "0x" : (carrier as unknown as { readonly data: Hex }).data
  if (data === "0x") return error.walk((each) => each instanceof ExecutionRevertedError) === null ? undefined : "it reverted without a word"
  return Result.getOrElse(
    Result.try(() => {
      const { args, errorName } = decodeErrorResult({ abi: errorsAbi, data })
      return `${errorName}(${((args ?? []) as ReadonlyArray<unknown>).join(", ")})`
    }),
    () => `it reverted with ${data}`
  )
}
