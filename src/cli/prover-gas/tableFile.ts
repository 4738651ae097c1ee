/** Prover gas tables in files. */
import { Effect, FileSystem, Schema } from "effect"
import { dirname } from "node:path"
import { decodeProverGasTable, encodeProverGasTable, type ProverGasTable, ProverGasTableUnusable } from "../../domain/ProverGasTable.ts"

/** A table cannot be written there. Nothing was changed; name another file. */
export class TableNotWritable extends Schema.TaggedError<TableNotWritable>()("TableNotWritable", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `no prover gas table can be written to ${this.file} (${this.reason}): name a file in a folder that exists and is writable`
  }
}

/** Reads a table and checks it. */
export const readProverGasTable = Effect.fnUntraced(function*(file: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* Effect.mapError(files.readFileString(file), (error) => new ProverGasTableUnusable({ source: file, reason: error.message }))
  return yield* Effect.fromResult(decodeProverGasTable(text, file))
})

/** Whether a table can be written there, asked before minutes are spent on one. */
export const requireWritable = Effect.fnUntraced(function*(file: string) {
  const files = yield* FileSystem.FileSystem
  const refuse = (reason: string) => () => new TableNotWritable({ file, reason })
  yield* Effect.mapError(files.access(dirname(file), { writable: true }), refuse("its folder cannot be written to"))
  const known = yield* Effect.orElseSucceed(files.exists(file), () => true)
  // An older table is replaced; whatever else lies there may be precious.
  if (known) yield* Effect.mapError(readProverGasTable(file), refuse("what is there is no prover gas table"))
})

/** Writes a table, whole or not at all. */
export const writeProverGasTable = Effect.fnUntraced(function*(file: string, table: ProverGasTable) {
  const files = yield* FileSystem.FileSystem
  const temporary = `${file}.tmp`
  yield* files.writeFileString(temporary, encodeProverGasTable(table)).pipe(
    Effect.andThen(files.rename(temporary, file)),
    Effect.mapError((error) => new TableNotWritable({ file, reason: error.message }))
  )
})
