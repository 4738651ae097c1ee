/** CP-4: consensus vouches for a block that nobody can prove; L1 reverts it, and the rollup goes on. */
import { Context, Duration, Effect, Stream, SubscriptionRef } from "effect"
import { createTestClient, http, publicActions } from "viem"
import { BlockNumber, Wei } from "../../domain/Amount.ts"
import { type Block, Header } from "../../domain/Block.ts"
import type { SignedTransfer } from "../../domain/Transfer.ts"
import { LedgerSource } from "../../ledger/LedgerSource.ts"
import { TreePlanner } from "../../roles/TreePlanner.ts"
import { defaultPolicy, type DevnetConfig } from "../DevnetConfig.ts"
import { onL1Step } from "../Registration.ts"
import { eventually, isA, mustHold, paced, type Scenario, scenarioParameters } from "./Scenario.ts"

/**
 * The deadline is far enough away for the good blocks on a busy machine. Once the bad one is known, L1's clock is put forward, so
 * that nobody has to wait and few blocks have to be made again.
 */
const parameters = scenarioParameters({ proofDeadline: 400 })

/** The block in whose header consensus puts a wei more of prover fees than its transfers pay: the circuit refuses the sum (FM-6). */
const unprovableBlock = 3

const configure = (config: DevnetConfig): DevnetConfig => {
  let made = false
  return {
    ...config,
    parameters,
    ledger: paced(config, Duration.seconds(6)),
    blocksPerUpdate: 2,
    // A prover gives the rollup so long to prove what can be reverted.
    patience: Duration.seconds(5),
    operators: [defaultPolicy, defaultPolicy],
    // Once: the block that takes its place is an honest one.
    tamper: (header) => {
      if (made || header.number !== unprovableBlock) return header
      made = true
      return new Header({ ...header, proverFees: Wei.make(header.proverFees + 1n) })
    }
  }
}

/** The ledger as it was read: what is there now, and what was replaced. */
interface Read {
  readonly blocks: ReadonlyMap<number, Block>
  readonly dropped: ReadonlyArray<Block>
}

const read = ({ blocks, dropped }: Read, block: Block): Read => {
  const replaced = [...blocks.values()].filter(({ number }) => number >= block.number)
  return {
    blocks: new Map([...blocks].filter(([number]) => number < block.number)).set(block.number, block),
    dropped: [...dropped, ...replaced]
  }
}

/** A transfer goes by its sender and nonce, in whichever block it is. */
const named = ({ transfer }: SignedTransfer) => `${transfer.from}/${transfer.nonce}`

export const unprovable: Scenario = {
  name: "unprovable",
  within: Duration.seconds(270),
  configure,
  play: Effect.fnUntraced(function*({ devnet, nameOf, onL1, see }) {
    const ledger = yield* SubscriptionRef.make<Read>({ blocks: new Map(), dropped: [] })
    yield* Effect.forkScoped(Stream.runForEach(
      Context.get(devnet.rollup, LedgerSource).blocks(BlockNumber.make(1)),
      (block) => SubscriptionRef.update(ledger, (before) => read(before, block))
    ))
    const inLedger = <A>(find: (read: Read) => A | undefined) => eventually(SubscriptionRef.changes(ledger), find)

    const bad = yield* see("consensus makes the block", Effect.map(
      inLedger(({ blocks }) => blocks.get(unprovableBlock)),
      (block) => [block, { block: block.number, hash: block.header.hash, proverFees: block.header.proverFees }] as const
    ))
    yield* see("every prover quarantines it and says so", Effect.map(
      Effect.forEach(devnet.operators, ({ name, node }) =>
        Effect.as(
          eventually(Context.get(node, TreePlanner).changes(), ({ quarantined }) => quarantined.some((number) => number === unprovableBlock) ? true : undefined),
          [name, `quarantined block ${unprovableBlock}`] as const
        ), { concurrency: "unbounded" }),
      (said) => [undefined, Object.fromEntries(said)] as const
    ))
    const certified = yield* see("it is checkpointed, and everything before it is settled", Effect.map(
      onL1((events) => {
        const checkpoint = events.filter(isA("CheckpointRegistered")).find(({ checkpoint }) => checkpoint.number >= unprovableBlock)
        return events.some((event) => event._tag === "StateUpdated" && event.to.number === unprovableBlock - 1) ? checkpoint : undefined
      }),
      ({ at, checkpoint }) => [checkpoint, { checkpoint: checkpoint.number, registration: at.transaction, l1Block: at.block }] as const
    ))
    yield* see("the proof deadline passes on L1", Effect.map(
      onL1Step("putting L1's clock forward", async () => {
        const chain = createTestClient({ mode: "anvil", transport: http(devnet.url) }).extend(publicActions)
        const { timestamp } = await chain.getBlock()
        await chain.increaseTime({ seconds: parameters.proofDeadline + 1 })
        await chain.mine({ blocks: 1 })
        return { before: timestamp, after: (await chain.getBlock()).timestamp }
      }),
      (times) => [undefined, { ...times, deadline: parameters.proofDeadline }] as const
    ))
    const revert = yield* see("somebody reverts it", Effect.map(
      onL1((events) => events.find(isA("CheckpointsReverted"))),
      (event) =>
        [event, { transaction: event.at.transaction, generation: event.generation, head: event.headNumber, tip: event.tip, l1Block: event.at.block }] as const
    ))
    yield* mustHold(revert.headNumber < certified.number && revert.tip < unprovableBlock, `the tip was at block ${revert.tip} already`)

    const dropped = yield* see("consensus rebuilds from the proven tip", Effect.map(
      inLedger(({ blocks, dropped }) => {
        const instead = blocks.get(unprovableBlock)
        return instead === undefined || instead.header.hash === bad.header.hash ? undefined : { dropped, instead }
      }),
      ({ dropped, instead }) =>
        [dropped, { from: revert.tip + 1, hash: instead.header.hash, dropped: dropped.length, highest: Math.max(...dropped.map(({ number }) => number)) }] as const
    ))
    const transfers = dropped.flatMap((block) => block.transfers.map(named))
    yield* see("the transfers of the dropped blocks are in blocks again", Effect.map(
      inLedger(({ blocks }) => {
        const executed = new Set([...blocks.values()].flatMap((block) => block.transfers.map(named)))
        return transfers.every((name) => executed.has(name)) ? blocks : undefined
      }),
      (blocks) => [undefined, { transfers: transfers.length, by: Math.max(...blocks.keys()) }] as const
    ))
    const highest = Math.max(...dropped.map(({ number }) => number))
    yield* see("state updates go on beyond the reverted numbers", Effect.map(
      onL1((events) => events.filter(isA("StateUpdated")).find(({ to }) => to.number > highest)),
      ({ at, from, submitter, to }) =>
        [undefined, { transaction: at.transaction, from: from.number, to: to.number, hash: to.hash, submitter: nameOf(submitter) }] as const
    ))
  })
}
