/**
 * L1 as a list of blocks with events, for what follows it: blocks can be replaced, and questions go unanswered.
 */
import { Effect, Option } from "effect"
import type { L1Event } from "../../src/l1/Events.ts"
import { type L1, type L1Block, L1Unavailable } from "../../src/l1/L1.ts"

/**
 * A chain with one empty block.
 *
 * @param secondsPerBlock time from block to block, from 0 on
 * @param silenced what fails while the chain does not answer
 */
export const makeBlockList = (secondsPerBlock: number, silenced: "latest" | "block") => {
  let fork = "0"
  let blocks: Array<ReadonlyArray<unknown>> = [[]]
  let answers = true
  const block = (number: number): L1Block => ({ number, hash: `0x${fork}${number}` as never, timestamp: BigInt(secondsPerBlock * number) })
  const asked = <A>(what: typeof silenced, answer: () => A) =>
    Effect.suspend(() =>
      answers || what !== silenced ? Effect.succeed(answer()) : Effect.fail(new L1Unavailable({ operation: "eth_getBlockByNumber", reason: "out" })))
  const l1 = {
    deployedAt: 0,
    latest: asked("latest", () => block(blocks.length - 1)),
    block: (number: number) => asked("block", () => number < blocks.length ? Option.some(block(number)) : Option.none()),
    events: (from: number, to: number) => Effect.sync(() => blocks.slice(from, to + 1).flat() as ReadonlyArray<L1Event>)
  } as never as typeof L1.Service
  return {
    l1,
    add: (...events: ReadonlyArray<object>) => blocks.push(events.map((event) => ({ ...event, at: { block: blocks.length } }))),
    replaceFrom: (number: number) => {
      fork = `${Number(fork) + 1}`
      blocks = blocks.slice(0, number)
    },
    setAnswers: (value: boolean) => void (answers = value)
  }
}
