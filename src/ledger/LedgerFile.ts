/**
 * The devnet ledger's own database: everything that a restart needs to go on with the next block of the same chain.
 *
 * Witnesses are stored with their blocks instead of being computed again from the account deltas: what was executed is then
 * exactly what is proven, and answering takes one lookup instead of hashing a whole tree, for some 2 kB a block.
 */
import { Effect, Schema } from "effect"
import { Migrator, SqlClient, type SqlError } from "effect/sql"
import { Account, AccountIndex } from "../domain/Account.ts"
import { BlockNumber } from "../domain/Amount.ts"
import { Block, BlockRef, Header } from "../domain/Block.ts"
import { BlockWitness, TransferWitness } from "../domain/BlockWitness.ts"
import { type CertificateDomain, CertifiedCheckpoint, genesisCheckpoint } from "../domain/Checkpoint.ts"
import { CheckpointId } from "../domain/Hash.ts"
import { SignedTransfer } from "../domain/Transfer.ts"
import { devnetGenesis, DevnetLedgerConfig } from "./DevnetLedgerConfig.ts"
import type { BlockExecution } from "./Execution.ts"
import { afterRebuild, type Mempool } from "./Mempool.ts"
import { StateTree } from "./StateTree.ts"

/** The file holds the chain of another config. Start with the config it was made with, or with another file. */
export class LedgerMismatch extends Schema.TaggedError<LedgerMismatch>()("LedgerMismatch", {
  /** The parameters that differ, with the stored and the given value. */
  differences: Schema.Array(Schema.String)
}) {
  override get message() {
    return `the ledger's file was made with another config (${this.differences.join("; ")}): use that config, or another file`
  }
}

/** The file cannot be read as a ledger. Move it away to start a new chain, or restore a copy. */
export class LedgerDamaged extends Schema.TaggedError<LedgerDamaged>()("LedgerDamaged", {
  reason: Schema.String
}) {
  override get message() {
    return `the ledger's file cannot be used (${this.reason}): restore a copy, or move it away to start a new chain`
  }
}

/**
 * The ledger cannot go back to where a revert on L1 left the rollup (CP-4), because it is not the ledger that L1 has checkpoints
 * of. Nothing was changed. Restore a copy of its file that has the block or, if L1 took the revert back, wait for the next one.
 */
export class RebuildRefused extends Schema.TaggedError<RebuildRefused>()("RebuildRefused", {
  tip: BlockRef,
  parent: CheckpointId,
  reason: Schema.String
}) {
  override get message() {
    return `the ledger cannot be rebuilt on block ${this.tip.number} (${this.tip.hash}) behind checkpoint ${this.parent}: ${this.reason}; ` +
      "restore a copy of its file that has them"
  }
}

/** Where a revert on L1 leaves the rollup (CP-4). */
export interface Rebuild {
  /** How many reverts the registry has seen, this one included. */
  readonly generation: number
  /** The proven tip: it stays, and every block above it goes. */
  readonly tip: BlockRef
  /** The checkpoint that is the registry's head again: the newest one at or behind the tip. */
  readonly parent: CheckpointId
}

/** What the next block is made from. */
export interface LedgerState {
  /** The newest block's header. */
  readonly header: Header
  readonly tree: StateTree
  /** Excess prover gas after the newest block (FM-2). */
  readonly excess: bigint
  readonly mempool: Mempool
  /** The tip that each rebuild so far went back to, the earliest first (CP-4). */
  readonly rebuilds: ReadonlyArray<number>
}

const migrations = Migrator.fromRecord({
  "1_ledger": Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql`CREATE TABLE ledger (id INTEGER PRIMARY KEY CHECK (id = 1), config TEXT NOT NULL)`
    yield* sql`CREATE TABLE block (
      number INTEGER PRIMARY KEY, header TEXT NOT NULL, transfers TEXT NOT NULL, witness TEXT NOT NULL, excess TEXT NOT NULL)`
    // An account as it is after a block that changed it: the state after block n has, of each account, the last row up to n.
    yield* sql`CREATE TABLE account (
      leaf INTEGER NOT NULL, number INTEGER NOT NULL, account TEXT NOT NULL, PRIMARY KEY (leaf, number)) WITHOUT ROWID`
    yield* sql`CREATE TABLE pending (
      position INTEGER PRIMARY KEY, sender INTEGER NOT NULL, nonce TEXT NOT NULL, since INTEGER NOT NULL,
      transfer TEXT NOT NULL, UNIQUE (sender, nonce))`
    yield* sql`CREATE TABLE checkpoint (number INTEGER PRIMARY KEY, certified TEXT NOT NULL, domain TEXT NOT NULL)`
  }),
  // Every rebuild in the order in which it was done: whoever read the chain before learns from here where it was replaced.
  "2_rebuild": Effect.flatMap(SqlClient.SqlClient, (sql) =>
    sql`CREATE TABLE rebuild (
      sequence INTEGER PRIMARY KEY AUTOINCREMENT, domain TEXT NOT NULL, generation INTEGER NOT NULL,
      tip INTEGER NOT NULL, hash TEXT NOT NULL, parent TEXT NOT NULL)`)
})

const json = <S extends Schema.Codec<any, any>>(schema: S) => {
  const codec = Schema.fromJsonString(schema)
  return { encode: Schema.encodeSync(codec), decode: Schema.decodeUnknownSync(codec) }
}
const headerJson = json(Header)
const transfersJson = json(Schema.Array(SignedTransfer))
const witnessJson = json(Schema.Array(TransferWitness))
const accountJson = json(Account)
const transferJson = json(SignedTransfer)
const certifiedJson = json(CertifiedCheckpoint)
const configJson = json(DevnetLedgerConfig)

const domainKey = ({ chainId, epoch, registry }: CertificateDomain) => `${chainId}/${registry}/${epoch}`

/** The parameters that make a chain what it is. Pace, traffic and the mempool's size may change as the chain goes on. */
const identityOf = (config: DevnetLedgerConfig): Record<string, unknown> => {
  const { blockTime: _pace, mempoolSize: _size, transfersPerBlock: _traffic, ...identity } = JSON.parse(configJson.encode(config))
  return identity
}

const assertSameChain = (stored: string, config: DevnetLedgerConfig) => {
  const given = identityOf(config)
  const made: Record<string, unknown> = JSON.parse(stored)
  const differences = [...new Set([...Object.keys(made), ...Object.keys(given)])].flatMap((name) => {
    const [before, now] = [JSON.stringify(made[name]), JSON.stringify(given[name])]
    return before === now ? [] : [`${name} was ${before}, is ${now}`]
  })
  return differences.length === 0 ? Effect.void : Effect.fail(new LedgerMismatch({ differences }))
}

/** The ledger's database. Every method is one transaction or one read. */
export type LedgerFile = Effect.Success<ReturnType<typeof openLedgerFile>>

/** Opens the database behind the `SqlClient`, making the genesis block if it is new. */
export const openLedgerFile = (config: DevnetLedgerConfig) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const genesis = devnetGenesis(config)

    const damaged = (cause: unknown) => new LedgerDamaged({ reason: cause instanceof Error ? cause.message : String(cause) })
    const decoded = <A>(decode: () => A) => Effect.try({ try: decode, catch: damaged })

    const insertBlock = (block: Block, witness: ReadonlyArray<TransferWitness>, excess: bigint) =>
      sql`INSERT INTO block ${
        sql.insert({
          number: block.number,
          header: headerJson.encode(block.header),
          transfers: transfersJson.encode(block.transfers),
          witness: witnessJson.encode(witness),
          excess: String(excess)
        })
      }`

    const insertAccounts = (number: BlockNumber, accounts: Iterable<readonly [AccountIndex, Account]>) =>
      Effect.forEach(accounts, ([leaf, account]) =>
        sql`INSERT INTO account ${sql.insert({ leaf, number, account: accountJson.encode(account) })}`, { discard: true })

    const writeMempool = (before: Mempool, after: Mempool) =>
      Effect.gen(function*() {
        const [old, current] = [new Set(before), new Set(after)]
        for (const { signed: { transfer } } of before.filter((pending) => !current.has(pending))) {
          yield* sql`DELETE FROM pending WHERE sender = ${transfer.from} AND nonce = ${String(transfer.nonce)}`
        }
        for (const { signed, since } of after.filter((pending) => !old.has(pending))) {
          const { from: sender, nonce } = signed.transfer
          yield* sql`INSERT INTO pending ${sql.insert({ sender, nonce: String(nonce), since, transfer: transferJson.encode(signed) })}`
        }
      })

    const readMempool = sql<{ since: number; transfer: string }>`SELECT since, transfer FROM pending ORDER BY position`.pipe(
      Effect.flatMap((rows) => decoded((): Mempool =>
        rows.map((row) => ({ since: BlockNumber.make(row.since), signed: transferJson.decode(row.transfer) }))))
    )

    yield* Migrator.make({})({ loader: migrations, table: "ledger_migrations" }).pipe(Effect.mapError(damaged))
    yield* sql.withTransaction(Effect.gen(function*() {
      const [stored] = yield* sql<{ config: string }>`SELECT config FROM ledger`
      if (stored !== undefined) return yield* assertSameChain(stored.config, config)
      yield* sql`INSERT INTO ledger ${sql.insert({ id: 1, config: JSON.stringify(identityOf(config)) })}`
      yield* insertBlock(genesis.block, [], 0n)
      yield* insertAccounts(genesis.block.number, genesis.tree.accounts())
    })).pipe(Effect.catchTag("SqlError", (error) => Effect.fail(damaged(error))))

    const headerAt = (number: number) =>
      sql<{ header: string }>`SELECT header FROM block WHERE number = ${number}`.pipe(
        Effect.flatMap(([row]) => decoded(() => row === undefined ? undefined : headerJson.decode(row.header)))
      )

    /** The account tree as it was after a block. */
    const treeAt = (number: number) =>
      sql<{ leaf: number; account: string }>`
        SELECT leaf, account, max(number) FROM account WHERE number <= ${number} GROUP BY leaf`.pipe(
        Effect.flatMap((rows) => decoded(() =>
          StateTree.of(config.depth, rows.map((row) => [AccountIndex.make(row.leaf), accountJson.decode(row.account)] as const))
        ))
      )

    const load: Effect.Effect<LedgerState, SqlError.SqlError | LedgerDamaged> = Effect.gen(function*() {
      const [tip] = yield* sql<{ header: string; excess: string }>`SELECT header, excess FROM block ORDER BY number DESC LIMIT 1`
      const header = yield* decoded(() => headerJson.decode(tip!.header))
      const tree = yield* treeAt(header.number)
      if (tree.root !== header.stateRoot) {
        return yield* new LedgerDamaged({ reason: `the accounts stored up to block ${header.number} are not those of its state root` })
      }
      const rebuilds = yield* sql<{ tip: number }>`SELECT tip FROM rebuild ORDER BY sequence`
      return { header, tree, excess: BigInt(tip!.excess), mempool: yield* readMempool, rebuilds: rebuilds.map(({ tip }) => tip) }
    })

    const [first] = yield* sql<{ header: string }>`SELECT header FROM block WHERE number = 0`.pipe(Effect.mapError(damaged))
    if ((yield* decoded(() => headerJson.decode(first!.header).hash)) !== genesis.block.header.hash) {
      return yield* new LedgerDamaged({ reason: "its genesis block is not the one that its config leads to; another version made it" })
    }

    const genesisId = genesisCheckpoint(genesis.block.ref, genesis.block.header.stateRoot).id

    /** Fails unless the chain has the block and the checkpoint that a rebuild starts from. */
    const assertKnown = Effect.fnUntraced(function*(domain: CertificateDomain, { parent, tip }: Rebuild) {
      const refused = (reason: string) => new RebuildRefused({ tip, parent, reason })
      const hash = (yield* headerAt(tip.number))?.hash
      if (hash !== tip.hash) return yield* refused(hash === undefined ? `it has no block ${tip.number}` : `its block ${tip.number} is ${hash}`)
      const [row] = yield* sql<{ certified: string }>`
        SELECT certified FROM checkpoint WHERE domain = ${domainKey(domain)} AND number <= ${tip.number} ORDER BY number DESC LIMIT 1`
      const newest = yield* decoded(() => row === undefined ? genesisId : certifiedJson.decode(row.certified).checkpoint.id)
      if (newest !== parent) return yield* refused(`its newest checkpoint up to there is ${newest}`)
    })

    return {
      genesis: genesis.block,
      load,
      treeAt,
      headerAt,

      /** Stores a block with all that follows from it. */
      append: (made: BlockExecution, before: LedgerState, after: LedgerState) =>
        sql.withTransaction(Effect.gen(function*() {
          yield* insertBlock(made.block, made.witness.transfers, after.excess)
          yield* insertAccounts(made.block.number, made.changes)
          yield* writeMempool(before.mempool, after.mempool)
        })),

      /** Stores what waits. */
      putMempool: (before: Mempool, after: Mempool) => sql.withTransaction(writeMempool(before, after)),

      /**
       * Goes back to the tip of a revert (CP-4), all in one transaction: what lies above it is forgotten, and its transfers wait
       * again before all others. Says whether it did: the second time that L1 tells of the same revert, there is nothing to do.
       *
       * A generation that L1 gave out twice, to two forks of its own, is another revert if it left another tip or head.
       */
      rebuild: (domain: CertificateDomain, to: Rebuild): Effect.Effect<boolean, RebuildRefused | LedgerDamaged | SqlError.SqlError> =>
        sql.withTransaction(Effect.gen(function*() {
          const { generation, parent, tip } = to
          const [last] = yield* sql<{ generation: number; hash: string; parent: string }>`
            SELECT generation, hash, parent FROM rebuild WHERE domain = ${domainKey(domain)} AND generation <= ${generation}
            ORDER BY sequence DESC LIMIT 1`
          if (last?.generation === generation && last.hash === tip.hash && last.parent === parent) return false
          yield* assertKnown(domain, to)
          const rows = yield* sql<{ transfers: string }>`SELECT transfers FROM block WHERE number > ${tip.number} ORDER BY number`
          const dropped = yield* decoded(() => rows.flatMap(({ transfers }) => transfersJson.decode(transfers)))
          const waiting = afterRebuild(yield* readMempool, dropped, tip.number)
          for (const table of ["block", "account", "checkpoint"]) yield* sql`DELETE FROM ${sql(table)} WHERE number > ${tip.number}`
          yield* sql`DELETE FROM pending`
          yield* writeMempool([], waiting)
          yield* sql`INSERT INTO rebuild ${sql.insert({ domain: domainKey(domain), generation, tip: tip.number, hash: tip.hash, parent })}`
          return true
        })),

      /** How many rebuilds there were. What was read before it is asked belongs to the chain after so many of them, or after fewer. */
      rebuildCount: Effect.map(sql<{ count: number }>`SELECT count(*) AS count FROM rebuild`, ([row]) => row!.count),

      /** At most `limit` blocks from a number on, in order. */
      blocks: (from: number, limit: number) =>
        sql<{ header: string; transfers: string }>`
          SELECT header, transfers FROM block WHERE number >= ${from} ORDER BY number LIMIT ${limit}`.pipe(
          Effect.flatMap((rows) => decoded(() =>
            rows.map((row) => new Block({ header: headerJson.decode(row.header), transfers: transfersJson.decode(row.transfers) }))
          ))
        ),

      /** A block's witness; none for the genesis block and for blocks not made yet. */
      witness: (number: number) =>
        Effect.gen(function*() {
          const [row] = yield* sql<{ header: string; transfers: string; witness: string; parent: string }>`
            SELECT b.header, b.transfers, b.witness, p.header AS parent
            FROM block b JOIN block p ON p.number = b.number - 1 WHERE b.number = ${number}`
          return yield* decoded(() => row === undefined ? undefined : new BlockWitness({
            parent: headerJson.decode(row.parent),
            block: new Block({ header: headerJson.decode(row.header), transfers: transfersJson.decode(row.transfers) }),
            transfers: witnessJson.decode(row.witness)
          }))
        }),

      /**
       * The newest checkpoint certified for a domain. Those certified for another one are forgotten: a registry that was
       * deployed anew starts from genesis and needs all of them again, signed for itself. The next one must lie above `floor`,
       * the tip of the last revert (CP-4).
       */
      newestCheckpoint: (domain: CertificateDomain) =>
        sql.withTransaction(Effect.gen(function*() {
          const forgotten = yield* sql`DELETE FROM checkpoint WHERE domain <> ${domainKey(domain)} RETURNING number`
          const [row] = yield* sql<{ certified: string }>`SELECT certified FROM checkpoint ORDER BY number DESC LIMIT 1`
          const newest = yield* decoded(() => row === undefined ? undefined : certifiedJson.decode(row.certified).checkpoint)
          const [last] = yield* sql<{ tip: number }>`SELECT tip FROM rebuild WHERE domain = ${domainKey(domain)} ORDER BY sequence DESC LIMIT 1`
          return { newest, forgotten: forgotten.length, floor: last?.tip ?? 0 }
        })),

      putCheckpoint: (domain: CertificateDomain, certified: CertifiedCheckpoint) =>
        sql`INSERT INTO checkpoint ${
          sql.insert({ number: certified.checkpoint.number, certified: certifiedJson.encode(certified), domain: domainKey(domain) })
        }`,

      /** At most `limit` checkpoints after a number, in order. */
      checkpoints: (after: number, limit: number) =>
        sql<{ certified: string }>`
          SELECT certified FROM checkpoint WHERE number > ${after} ORDER BY number LIMIT ${limit}`.pipe(
          Effect.flatMap((rows) => decoded(() => rows.map((row) => certifiedJson.decode(row.certified))))
        )
    }
  })
