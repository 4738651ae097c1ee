import { assert, beforeAll, describe, it, vi } from "@effect/vitest"
import { Effect, Result } from "effect"
import { wtns } from "snarkjs"
import { AccountIndex, Nonce } from "../../src/domain/Account.ts"
import { Wei } from "../../src/domain/Amount.ts"
import { signTransfer, Transfer } from "../../src/domain/Transfer.ts"
import { DevnetLedgerConfig, devnetGenesis, devnetKey } from "../../src/ledger/DevnetLedgerConfig.ts"
import { executeBlock } from "../../src/ledger/Execution.ts"
import { ancestryInput, blockInput } from "../../src/proofs/CircuitInputs.ts"
import { loadKeys } from "../../src/proofs/CircuitKeys.ts"
import { devnetParameters } from "../../src/proofs/CircuitParameters.ts"
import { calculateWitness, type CircuitInput, WitnessError } from "../../src/proofs/WitnessCalculator.ts"
import { alice, headers, witnesses } from "./fixture.ts"

// Real threads and real proofs: minutes on a machine that does other things as well.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const config = new DevnetLedgerConfig({})
const genesis = devnetGenesis(config)

/** The witness of block 1 with transfers between the given accounts; beyond 15 there is none yet. */
const block = (...pairs: ReadonlyArray<readonly [from: number, to: number]>) => {
  const { proverPrice, signalMultiplier, timestamp } = genesis.block.header
  const sent = new Map<number, bigint>()
  const transfers = pairs.map(([from, to]) => {
    const nonce = sent.get(from) ?? 0n
    sent.set(from, nonce + 1n)
    return signTransfer(
      new Transfer({
        from: AccountIndex.make(from),
        to: AccountIndex.make(to),
        toOwner: genesis.tree.account(AccountIndex.make(to))?.owner ?? genesis.tree.account(AccountIndex.make(0))!.owner,
        amount: Wei.make(1_000n),
        maxProverFee: Wei.make(config.rules.schedule.transfer * proverPrice),
        nonce: Nonce.make(nonce)
      }),
      devnetKey(config, from),
      config.chainId
    )
  })
  const made = executeBlock(config.rules, genesis.block.header, genesis.tree, transfers, { proverPrice, signalMultiplier, timestamp })
  assert.lengthOf(made.block.transfers, pairs.length)
  return made.witness
}

let blockCircuit: WebAssembly.Module
let ancestryCircuit: WebAssembly.Module

beforeAll(async () => {
  const keys = await Effect.runPromise(loadKeys())
  blockCircuit = await WebAssembly.compile(Uint8Array.from(keys.block.witnessGenerator))
  ancestryCircuit = await WebAssembly.compile(Uint8Array.from(keys.ancestry.witnessGenerator))
})

/** The public signals of a witness: they follow the constant one. */
const publicSignals = async (circuit: WebAssembly.Module, input: CircuitInput, count: number) => {
  const values = await wtns.exportJson(calculateWitness(circuit, input))
  return values.slice(1, count + 1).map(BigInt)
}

describe("blocks as circuit inputs", () => {
  it("satisfy the circuit with no, one and two transfers, to oneself and to new accounts", async () => {
    for (const witness of [block(), block([0, 1]), block([0, 1], [1, 2]), block([3, 3]), block([0, 200], [0, 200]), ...witnesses]) {
      const { header } = witness.block
      const input = Result.getOrThrow(blockInput(witness, alice, devnetParameters.block))
      assert.deepStrictEqual(
        await publicSignals(blockCircuit, input, 5),
        [BigInt(header.parentHash), BigInt(header.hash), BigInt(alice), header.proverFees, header.proverGasUsed]
      )
    }
  })

  it("do not satisfy it when any single value is another", () => {
    const input = Result.getOrThrow(blockInput(block([0, 1], [1, 200]), alice, devnetParameters.block))
    const raise = (signal: CircuitInput[string]): CircuitInput[string] => typeof signal === "bigint" ? signal + 1n : [raise(signal[0]!), ...signal.slice(1)]
    // The prover is bound by the proof alone: any name makes a satisfying witness, but its own proof.
    for (const name of Object.keys(input).filter((each) => each !== "prover")) {
      assert.throws(() => calculateWitness(blockCircuit, { ...input, [name]: raise(input[name]!) }), WitnessError, undefined, name)
    }
  })
})

describe("headers as circuit inputs", () => {
  it("satisfy the circuit for every length it takes", async () => {
    for (let to = 1; to <= 8; to++) {
      const input = ancestryInput(headers.slice(0, to + 1), devnetParameters.ancestry)
      assert.deepStrictEqual(await publicSignals(ancestryCircuit, input, 2), [headers[0]!.hash, headers[to]!.hash].map(BigInt))
    }
  })
})

describe("the witness generator", () => {
  it("writes what snarkjs writes", async () => {
    const input = ancestryInput(headers.slice(0, 4), devnetParameters.ancestry)
    const { ancestry } = await Effect.runPromise(loadKeys())
    const theirs = { type: "mem" as const, data: new Uint8Array() }
    await wtns.calculate(input as Parameters<typeof wtns.calculate>[0], ancestry.witnessGenerator, theirs)
    assert.deepStrictEqual(Buffer.from(calculateWitness(ancestryCircuit, input)), Buffer.from(theirs.data))
  })

  it("names what is wrong with inputs that are not the circuit's", () => {
    const input = ancestryInput(headers.slice(0, 4), devnetParameters.ancestry)
    const { endHash: _, ...partial } = input
    assert.throws(() => calculateWitness(ancestryCircuit, partial), WitnessError, "inputs are missing")
    assert.throws(() => calculateWitness(ancestryCircuit, { ...input, endHash: [1n, 2n] }), WitnessError, "takes 1 values, not 2")
    assert.throws(() => calculateWitness(ancestryCircuit, { ...input, other: 1n }), WitnessError, "no input \"other\"")
    assert.throws(() => calculateWitness(ancestryCircuit, { ...input, endHash: -1n }), WitnessError, "not an element")
    assert.throws(() => calculateWitness(ancestryCircuit, { ...input, endHash: 1n << 254n }), WitnessError, "not an element")
  })
})
