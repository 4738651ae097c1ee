/** A ledger in a process of its own, to be killed: prints each block and checkpoint that its readers see. */
import { Effect, Stream } from "effect"
import { writeSync } from "node:fs"
import { LedgerSource } from "../../src/ledger/LedgerSource.ts"
import { hasty, n, registered, withLedger } from "./devnet.ts"

const say = (line: object) => Effect.sync(() => writeSync(1, `${JSON.stringify(line)}\n`))

const watch = Effect.gen(function*() {
  const source = yield* LedgerSource
  yield* source.checkpoints(n(0)).pipe(
    Stream.runForEach(({ checkpoint }) => say({ checkpoint: checkpoint.number, id: checkpoint.id })),
    Effect.forkChild
  )
  yield* source.blocks(n(0)).pipe(Stream.runForEach((block) => say({ block: block.number, hash: block.header.hash })))
})

Effect.runFork(withLedger(watch, { filename: process.argv[2]!, config: hasty, ...registered }).pipe(Effect.scoped))
