import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Abi } from "viem"
import {
  checkpointRegistryAbi,
  creditKinds,
  feeSignalAbi,
  groth16BatchVerifierAbi,
  proverRegistryAbi,
  reserves,
  rewardVaultAbi,
  settlementErrorsAbi,
  stateUpdateAbi
} from "../../src/l1/abi.ts"
import { designations } from "../../src/domain/ProtocolParameters.ts"
import { buildContracts, type ContractName } from "../../src/l1/ContractBuild.ts"

interface Parameter {
  readonly name?: string
  readonly type: string
  readonly indexed?: boolean
  readonly components?: ReadonlyArray<Parameter>
}
interface Item {
  readonly type: string
  readonly name?: string
  readonly stateMutability?: string
  readonly inputs?: ReadonlyArray<Parameter>
  readonly outputs?: ReadonlyArray<Parameter>
}

const parameter = ({ components, indexed, name, type }: Parameter): string =>
  `${type}${components === undefined ? "" : `{${components.map(parameter).join("; ")}}`}${indexed === true ? " indexed" : ""} ${name ?? ""}`.trim()

/** One line per item: all that callers depend on, in any order. */
const lines = (abi: Abi | ReadonlyArray<unknown>): ReadonlyArray<string> =>
  (abi as ReadonlyArray<Item>).map(({ inputs = [], name = "", outputs = [], stateMutability = "", type }) =>
    `${type} ${name}(${inputs.map(parameter).join(", ")}) ${stateMutability} -> ${outputs.map(parameter).join(", ")}`
  ).sort()

const abis = {
  CheckpointRegistry: checkpointRegistryAbi,
  ProverRegistry: proverRegistryAbi,
  StateUpdate: stateUpdateAbi,
  RewardVault: rewardVaultAbi,
  FeeSignal: feeSignalAbi,
  Groth16BatchVerifier: groth16BatchVerifierAbi
} satisfies Record<ContractName, Abi>

/** Members of an enum, as the contract's own source lists them. */
const members = (source: string, name: string) =>
  new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(source)![1]!.split(",").map((each) => each.trim().toLowerCase())

describe("ABIs", () => {
  for (const name of Object.keys(abis) as Array<ContractName>) {
    it.live(`${name}'s is what the compiler says`, () =>
      Effect.gen(function*() {
        const { contracts } = yield* buildContracts()
        assert.deepStrictEqual(lines(abis[name]), lines(contracts[name].abi))
      }), 120_000)
  }

  it.live("name credits and reserves in the contract's order", () =>
    Effect.gen(function*() {
      const fs = yield* Effect.promise(() => import("node:fs/promises"))
      const source = yield* Effect.promise(() => fs.readFile("contracts/src/interfaces/IRewardVault.sol", "utf8"))
      assert.deepStrictEqual(members(source, "Kind"), [...creditKinds])
      assert.deepStrictEqual(members(source, "Reserve"), [...reserves])
      const parameters = yield* Effect.promise(() => fs.readFile("contracts/src/Parameters.sol", "utf8"))
      assert.deepStrictEqual(members(parameters, "Designation"), [...designations])
    }))

  it("know every error that an update can end with", () => {
    const errors = (abi: Abi) => abi.flatMap((item) => (item.type === "error" ? [item.name] : []))
    assert.deepStrictEqual(
      errors(settlementErrorsAbi).sort(),
      [...errors(stateUpdateAbi), ...errors(groth16BatchVerifierAbi), ...errors(rewardVaultAbi)].sort()
    )
  })
})
