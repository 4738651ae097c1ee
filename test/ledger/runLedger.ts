/**
 * A ledger in a process of its own, to be killed: prints each block and checkpoint that its readers see. With the word `rebuild` it
 * goes back five blocks again and again.
 */
import { Clock, Effect, Schedule, Stream } from "effect"
import { writeSync } from "node:fs"
import { genesisCheckpoint } from "../../src/domain/Checkpoint.ts"
import { DevnetLedger } from "../../src/ledger/DevnetLedger.ts"
import { LedgerSource } from "../../src/ledger/LedgerSource.ts"
import { blocks, checkpoints, hasty, n, registered, withLedger } from "./devnet.ts"

const say = (line: object) => Effect.sync(() => writeSync(1, `${JSON.stringify(line)}\n`))

const goBack = Effect.gen(function*() {
  const ledger = yield* DevnetLedger
  const source = yield* LedgerSource
  const { header, ref } = yield* source.genesis
  const to = (yield* ledger.status).tip.number - 5
  if (to < 1) return
  const behind = Math.floor(to / hasty.checkpointInterval)
  const [tip] = yield* blocks(to, 1)
  const parent = behind === 0 ? genesisCheckpoint(ref, header.stateRoot) : (yield* checkpoints(0, behind))[behind - 1]!.checkpoint
  yield* ledger.rebuild(tip!.ref, parent.id, yield* Clock.currentTimeMillis)
  yield* say({ rebuilt: to })
})

const watch = Effect.gen(function*() {
  const source = yield* LedgerSource
  if (process.argv[3] === "rebuild") yield* Effect.forkChild(Effect.repeat(goBack, Schedule.spaced("300 millis")))
  yield* source.checkpoints(n(0)).pipe(
    Stream.runForEach(({ checkpoint }) => say({ checkpoint: checkpoint.number, id: checkpoint.id })),
    Effect.forkChild
  )
  yield* source.blocks(n(0)).pipe(Stream.runForEach((block) => say({ block: block.number, hash: block.header.hash })))
})

Effect.runFork(withLedger(watch, { filename: process.argv[2]!, config: hasty, ...registered }).pipe(Effect.scoped))
