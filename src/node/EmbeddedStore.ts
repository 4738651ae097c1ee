/**
 * All that a lone node keeps, in one SQLite file: its store and its jobs.
 */
import { Layer } from "effect"
import type { Jobs, OutputCheck } from "../jobs/Jobs.ts"
import { proofCheck } from "../jobs/ProofJobs.ts"
import * as SqlJobs from "../jobs/SqlJobs.ts"
import type { ProofSystem } from "../proofs/ProofSystem.ts"
import type { Database } from "../store/Database.ts"
import { layerSqlite, type SqliteOpenError, type SqliteOptions } from "../store/Sqlite.ts"
import * as SqliteDatabase from "../store/SqliteDatabase.ts"
import * as SqlStore from "../store/SqlStore.ts"
import type { Store } from "../store/Store.ts"

/** What is kept in a file; `:memory:` forgets it with the layer. */
export const embeddedStore = (
  filename: string,
  options: SqliteOptions = {}
): Layer.Layer<Store | Jobs | OutputCheck | Database, SqliteOpenError, ProofSystem> =>
  Layer.merge(SqlStore.layer, SqlJobs.layer).pipe(
    Layer.provideMerge(Layer.merge(proofCheck, SqliteDatabase.layer)),
    Layer.provide(layerSqlite(filename, options))
  )
