/**
 * The follower on a real chain that takes blocks back: it goes on from the fork, and what it says is what the chain says.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref, Schedule } from "effect"
import { createPublicClient, http } from "viem"
import { fullBlocks } from "../../bench/Blocks.ts"
import { checkpointOf, freshWorld, register, type World } from "../../bench/L1World.ts"
import { type Checkpoint, genesisCheckpoint } from "../../src/domain/Checkpoint.ts"
import { followL1, L1PollInterval } from "../../src/l1/Follower.ts"
import { L1 } from "../../src/l1/L1.ts"
import { reorg } from "./reorg.ts"

const { blocks, genesis } = fullBlocks("follower", 8)
const first = genesisCheckpoint({ number: genesis.number, hash: genesis.hash } as never, genesis.stateRoot)
const behind = (parent: Checkpoint, number: number) => checkpointOf(parent, blocks[number - 1]!.block.header)

/** A chain, and a follower of it that lists the checkpoints it hears of. */
const scene = Effect.fnUntraced(function*(remember?: number) {
  const world = yield* freshWorld("follower", genesis, 4)
  const ranges = yield* Ref.make<ReadonlyArray<number>>([])
  const published = yield* Ref.make<{ readonly numbers: ReadonlyArray<number>; readonly block: string }>({ numbers: [], block: "" })
  const watched = L1.of({
    ...world.l1,
    events: (from, to) => Effect.andThen(Ref.update(ranges, (all) => [...all, from]), world.l1.events(from, to))
  })
  yield* followL1<ReadonlyArray<number>>({
    initial: [],
    step: (numbers, event) => Effect.succeed(event._tag === "CheckpointRegistered" ? [...numbers, event.checkpoint.number] : numbers),
    publish: (numbers, { hash }) => Ref.set(published, { numbers, block: hash }),
    ...(remember === undefined ? {} : { remember })
  }).pipe(Effect.provideService(L1, watched), Effect.provideService(L1PollInterval, "20 millis"), Effect.forkScoped)

  /** The checkpoints as of L1's newest block, once the follower has read it. */
  const heard = Effect.gen(function*() {
    const { hash } = yield* world.l1.latest
    const { block, numbers } = yield* Ref.get(published)
    if (block !== hash) return yield* Effect.fail("the follower is behind")
    return numbers
  }).pipe(Effect.retry({ schedule: Schedule.spaced("20 millis"), times: 500 }))
  return { world, heard, ranges }
})

/** The newest transaction, signed, so that it can be included again. */
const newestRaw = ({ url }: World) =>
  Effect.promise(async () => {
    const client = createPublicClient({ transport: http(url), cacheTime: 0 })
    const { transactions } = await client.getBlock()
    return client.request({ method: "eth_getRawTransactionByHash" as never, params: [transactions[0]] as never }) as Promise<`0x${string}`>
  })

describe("a follower of a chain that takes blocks back", () => {
  it.live("forgets what was taken back, reads from the fork only, and hears it again when it comes again", () =>
    Effect.gen(function*() {
      const { heard, ranges, world } = yield* scene()
      const [two, four] = [behind(first, 2), behind(behind(first, 2), 4)]
      yield* register(world, two)
      yield* register(world, four)
      assert.deepStrictEqual(yield* heard, [0, 2, 4])
      const before = (yield* Ref.get(ranges)).length
      const fork = (yield* world.l1.latest).number - 1
      yield* reorg(world.url, 1)
      assert.deepStrictEqual(yield* heard, [0, 2])
      yield* register(world, four)
      assert.deepStrictEqual(yield* heard, [0, 2, 4])
      assert.isTrue((yield* Ref.get(ranges)).slice(before).every((from) => from > fork), "blocks before the fork are not read again")
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)

  it.live("hears what comes differently, and what comes in another block", () =>
    Effect.gen(function*() {
      const { heard, world } = yield* scene()
      const two = behind(first, 2)
      yield* register(world, two)
      yield* register(world, behind(two, 4))
      assert.deepStrictEqual(yield* heard, [0, 2, 4])
      yield* reorg(world.url, 1)
      yield* register(world, behind(two, 5))
      assert.deepStrictEqual(yield* heard, [0, 2, 5])
      const raw = yield* newestRaw(world)
      // Two blocks are replaced, and the transaction is in the second of the new ones.
      yield* reorg(world.url, 2, [[raw, 1]])
      assert.deepStrictEqual(yield* heard, [0, 2, 5])
      yield* register(world, behind(behind(two, 5), 6))
      assert.deepStrictEqual(yield* heard, [0, 2, 5, 6])
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)

  it.live("reads everything again when the fork is deeper than it remembers", () =>
    Effect.gen(function*() {
      const { heard, ranges, world } = yield* scene(2)
      const two = behind(first, 2)
      yield* register(world, two)
      assert.deepStrictEqual(yield* heard, [0, 2])
      yield* register(world, behind(two, 4))
      assert.deepStrictEqual(yield* heard, [0, 2, 4])
      const before = (yield* Ref.get(ranges)).length
      yield* reorg(world.url, 2)
      assert.deepStrictEqual(yield* heard, [0])
      assert.include((yield* Ref.get(ranges)).slice(before), world.deployment.block)
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)
})
