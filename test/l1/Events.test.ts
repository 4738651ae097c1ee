import { assert, describe, it } from "@effect/vitest"
import { type Abi, encodeAbiParameters, encodeEventTopics, type Log } from "viem"
import { toAddress, toHex32 } from "../../src/domain/Hash.ts"
import { checkpointRegistryAbi, feeSignalAbi, proverRegistryAbi, rewardVaultAbi, stateUpdateAbi } from "../../src/l1/abi.ts"
import { decodeEvents } from "../../src/l1/Events.ts"

const alice = toAddress(`0x${"a1".repeat(20)}`)
const bob = toAddress(`0x${"b0".repeat(20)}`)

/** A log as L1 would give it. */
const log = (abi: Abi, eventName: string, args: Record<string, unknown>): Log => {
  const item = abi.find((each) => each.type === "event" && each.name === eventName)
  if (item?.type !== "event") throw new Error(`no event ${eventName}`)
  const data = item.inputs.filter((input) => input.indexed !== true)
  return {
    address: alice,
    blockHash: toHex32(1n),
    blockNumber: 7n,
    data: encodeAbiParameters(data, data.map((input) => args[input.name!])),
    logIndex: 0,
    removed: false,
    topics: encodeEventTopics({ abi, eventName, args } as never),
    transactionHash: toHex32(2n),
    transactionIndex: 0
  } as unknown as Log
}

/** What an event says, without where it stands. */
const said = (abi: Abi, eventName: string, args: Record<string, unknown>): object => {
  const [event] = decodeEvents([log(abi, eventName, args)])
  const { at, ...rest } = { ...event! }
  assert.strictEqual(at.block, 7)
  return rest as object
}

describe("events", () => {
  it("ST-6: turns and provers", () => {
    assert.deepEqual(said(stateUpdateAbi, "UpdatedInTurn", { toNumber: 9n, turn: 3n, holder: alice, submitter: bob }), {
      _tag: "UpdatedInTurn",
      to: 9,
      turn: 3,
      holder: alice,
      submitter: bob
    })
    assert.deepEqual(said(proverRegistryAbi, "ProverRegistered", { prover: alice, position: 2n }), {
      _tag: "ProverRegistered",
      prover: alice,
      position: 2
    })
    assert.deepEqual(said(proverRegistryAbi, "ProverLeft", { prover: alice, moved: bob, unlocksAt: 5n }), {
      _tag: "ProverLeft",
      prover: alice,
      moved: bob,
      unlocksAt: 5n
    })
    assert.deepEqual(said(proverRegistryAbi, "BondReturned", { prover: alice, amount: 8n }), {
      _tag: "BondReturned",
      prover: alice,
      amount: 8n
    })
  })

  it("CP-4: a revert", () => {
    assert.deepEqual(
      said(checkpointRegistryAbi, "CheckpointsReverted", { generation: 2, headId: toHex32(9n), headNumber: 4n, tipNumber: 5n }),
      { _tag: "CheckpointsReverted", generation: 2, head: toHex32(9n), headNumber: 4, tip: 5 }
    )
  })

  it("RW-7: what leaves a reserve", () => {
    assert.deepEqual(said(rewardVaultAbi, "Released", { reserve: 1, firstNumber: 4n, lastNumber: 6n, amount: 8n }), {
      _tag: "Released",
      reserve: "protocol",
      firstBlock: 4,
      lastBlock: 6,
      amount: 8n
    })
    assert.deepEqual(said(rewardVaultAbi, "Lapsed", { amount: 9n }), { _tag: "Lapsed", amount: 9n })
  })

  it("ST-6: a missed turn; what is lost may be more than one block's prover gas", () => {
    assert.deepEqual(said(rewardVaultAbi, "TurnMissed", { turn: 2n, holder: bob, lost: 1n << 79n }), {
      _tag: "TurnMissed",
      turn: 2,
      holder: bob,
      lost: 1n << 79n
    })
  })

  it("RW-4: redundancy turns", () => {
    const toHash = toHex32(3n)
    assert.deepEqual(
      said(stateUpdateAbi, "RedundancyOpened", { toHash, holder: bob, closesAt: 3_600n, provers: [alice, bob], shares: [5n, 0n] }),
      { _tag: "RedundancyOpened", to: toHash, holder: bob, closesAt: 3_600n, provers: [alice, bob], shares: [5n, 0n] }
    )
    assert.deepEqual(said(stateUpdateAbi, "RedundancyProven", { toHash, holder: bob, system: 1, earned: 5n }), {
      _tag: "RedundancyProven",
      to: toHash,
      holder: bob,
      system: "groth16",
      earned: 5n
    })
  })

  it("FM-3: flags and what comes of them", () => {
    assert.deepEqual(said(feeSignalAbi, "Flagged", { epoch: 9, prover: alice, weight: 2n, gathered: 5n, total: 10n }), {
      _tag: "Flagged",
      epoch: 9n,
      prover: alice,
      weight: 2n,
      gathered: 5n,
      total: 10n
    })
    assert.deepEqual(said(feeSignalAbi, "MultiplierRaised", { epoch: 9, multiplier: 1_250_000n }), {
      _tag: "MultiplierRaised",
      epoch: 9n,
      multiplier: 1_250_000n
    })
  })

  it("CP-4: a revert", () => {
    const headId = toHex32(4n)
    assert.deepEqual(said(checkpointRegistryAbi, "CheckpointsReverted", { generation: 2, headId, headNumber: 4n, tipNumber: 6n }), {
      _tag: "CheckpointsReverted",
      generation: 2,
      head: headId,
      headNumber: 4,
      tip: 6
    })
  })
})
