import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import fs from "node:fs/promises"
import path from "node:path"
import { circuitsDirectory, compileCircuit, type CompiledCircuit, defaultBuildDirectory } from "../../src/proofs/CircuitCompiler.ts"
import { devnetKeysDirectory, type KeyManifest, readManifest } from "../../src/proofs/CircuitManifest.ts"
import { type CircuitName, circuitNames } from "../../src/proofs/CircuitParameters.ts"
import { type ConstraintSystem, countBroken, freeWires, readConstraintSystem, readWitness } from "./ConstraintSystem.ts"
import { buildBlock, type CircuitInputs, FIELD, headerFields, headerHash, Ledger, parentOf, sign, wallet } from "./LedgerOracle.ts"
import { computeWitness } from "./Witness.ts"

interface Compiled {
  readonly circuit: CompiledCircuit
  readonly system: ConstraintSystem
  /** Name of each wire. */
  readonly names: ReadonlyArray<string>
}

const compile = async (name: CircuitName): Promise<Compiled> => {
  const circuit = await Effect.runPromise(compileCircuit({
    name,
    program: path.join(circuitsDirectory, "devnet", `${name}.circom`),
    directory: path.join(defaultBuildDirectory, "devnet-test"),
    sym: true
  }))
  const system = readConstraintSystem(await fs.readFile(circuit.r1cs))
  const symbols = new Map<number, string>()
  for (const line of (await fs.readFile(circuit.sym!, "utf8")).trim().split("\n")) {
    const [label, , , signal] = line.split(",")
    symbols.set(Number(label), signal!)
  }
  return { circuit, system, names: system.labels.map((label) => symbols.get(label) ?? "one") }
}

const alice = wallet("alice")
const bob = wallet("bob")
const balance = 10n ** 18n

const blockInputs = (count: number): CircuitInputs => {
  const ledger = new Ledger([
    [3, { owner: alice.owner, balance, nonce: 1n }],
    [7, { owner: bob.owner, balance, nonce: 4n }]
  ])
  const transfers = [
    sign(alice, { from: 3, to: 7, toOwner: bob.owner, amount: 5n, maxProverFee: 17_000_000n, nonce: 1n }),
    sign(bob, { from: 7, to: 200, toOwner: alice.owner, amount: 77n, maxProverFee: 17_000_000n, nonce: 4n })
  ]
  return buildBlock(ledger, parentOf(ledger), transfers.slice(0, count)).inputs
}

const ancestryInputs = (): CircuitInputs => {
  const end = parentOf(new Ledger())
  const header = { ...end, parentHash: headerHash(end), number: 1n }
  const rest = <A>(filler: A) => Array.from({ length: 7 }, () => filler)
  return {
    endHash: headerHash(end),
    checkpointHash: headerHash(header),
    active: [1n, ...rest(0n)],
    headers: [headerFields(header), ...rest(headerFields(end).map(() => 0n))]
  }
}

describe("constraint systems", () => {
  let manifest: KeyManifest
  const compiled = new Map<CircuitName, Compiled>()

  beforeAll(async () => {
    manifest = await Effect.runPromise(readManifest(devnetKeysDirectory))
    for (const name of circuitNames) compiled.set(name, await compile(name))
  })

  for (const name of circuitNames) {
    it(`the committed keys are for the ${name} circuit as its source is`, () => {
      const { circuit } = compiled.get(name)!
      assert.strictEqual(circuit.r1csSha256, manifest.circuits[name].r1csSha256)
      assert.strictEqual(circuit.wasmSha256, manifest.circuits[name].witnessGenerator.sha256)
      assert.strictEqual(circuit.constraints, manifest.circuits[name].constraints)
    })
  }

  it("the block circuit leaves room below 2^15", () => {
    const { constraints, publicInputs } = compiled.get("block")!.circuit
    assert.isBelow(constraints + publicInputs + 1, 31_500)
  })

  it("good witnesses satisfy them", async () => {
    for (const transfers of [0, 1, 2]) {
      const witness = readWitness(await computeWitness("block", blockInputs(transfers)))
      assert.strictEqual(countBroken(compiled.get("block")!.system, witness), 0)
    }
    const witness = readWitness(await computeWitness("ancestry", ancestryInputs()))
    assert.strictEqual(countBroken(compiled.get("ancestry")!.system, witness), 0)
  })

  it("no wire of a full block can be changed alone, and so no public input either", async () => {
    const { names, system } = compiled.get("block")!
    const witness = readWitness(await computeWitness("block", blockInputs(2)))
    for (const delta of [1n, FIELD - 1n, 2n ** 96n]) {
      // Hints by which a difference is shown to be zero or not: where it is zero, any hint serves and nothing hangs on it.
      assert.deepStrictEqual(freeWires(system, witness, delta).map((wire) => names[wire]!).sort(), [
        "main.transfer[0].signature.eqCheckX.isz.inv",
        "main.transfer[0].signature.eqCheckY.isz.inv",
        "main.transfer[1].signature.eqCheckX.isz.inv",
        "main.transfer[1].signature.eqCheckY.isz.inv"
      ])
    }
  })

  it("no wire of an ancestry can be changed alone", async () => {
    const { names, system } = compiled.get("ancestry")!
    const witness = readWitness(await computeWitness("ancestry", ancestryInputs()))
    assert.deepStrictEqual(freeWires(system, witness, 1n).map((wire) => names[wire]!), [])
  })

  it("a single altered value breaks them: the address of the prover", async () => {
    const { names, system } = compiled.get("block")!
    const witness = readWitness(await computeWitness("block", blockInputs(2)))
    assert.strictEqual(names[3], "main.prover")
    witness[3] = witness[3]! + 1n
    assert.isAbove(countBroken(system, witness), 0)
  })
})
