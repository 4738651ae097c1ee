/** Running devnet ledgers under the virtual clock. */
import { assert } from "@effect/vitest"
import { Duration, Effect, Result, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BlockNumber } from "../../src/domain/Amount.ts"
import { Block } from "../../src/domain/Block.ts"
import { BlockWitness } from "../../src/domain/BlockWitness.ts"
import { CertifiedCheckpoint, genesisCheckpoint } from "../../src/domain/Checkpoint.ts"
import { toAddress } from "../../src/domain/Hash.ts"
import { verifyCertificate } from "../../src/domain/QuorumCertificate.ts"
import { DevnetLedger, type DevnetLedgerInputs } from "../../src/ledger/DevnetLedger.ts"
import { DevnetLedgerConfig, devnetGenesis } from "../../src/ledger/DevnetLedgerConfig.ts"
import { LedgerSource } from "../../src/ledger/LedgerSource.ts"
import { devnetValidatorSet } from "../../src/ledger/Validators.ts"

export const config = new DevnetLedgerConfig({ accounts: 6, depth: 5 })
/** For the real clock. */
export const hasty = new DevnetLedgerConfig({ ...config, blockTime: Duration.millis(40) })
export const domain = { chainId: 31337n, registry: toAddress("0x00000000000000000000000000000000000000aa"), epoch: 0n }
export const registered = { domain: Effect.succeed(domain) }
export const n = (number: number) => BlockNumber.make(number)

/** A file name in a folder that goes away with the scope. */
export const ledgerFile = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lignum-ledger-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
).pipe(Effect.map((path) => join(path, "ledger.db")))

/** A ledger for the time of the body; without a `domain` it makes no checkpoints, whose signatures would take half the time. */
export const withLedger = <A, E, R>(
  body: Effect.Effect<A, E, R>,
  options: Partial<DevnetLedgerInputs> & { readonly filename?: string; readonly config?: DevnetLedgerConfig } = {}
) =>
  body.pipe(Effect.provide(DevnetLedger.layer(options.config ?? config, {
    filename: ":memory:",
    domain: Effect.never,
    ...options
  })))

export const blocks = (from: number, count: number) =>
  LedgerSource.use((source) => source.blocks(n(from)).pipe(Stream.take(count), Stream.runCollect))

export const checkpoints = (after: number, count: number) =>
  LedgerSource.use((source) => source.checkpoints(n(after)).pipe(Stream.take(count), Stream.runCollect))

export const witnesses = (from: number, to: number) =>
  LedgerSource.use((source) => Effect.forEach(Array.from({ length: to - from + 1 }, (_, i) => n(from + i)), source.witness))

/** Lets time pass until the ledger has made so many more blocks. */
export const produce = (count: number, blockTime = config.blockTime) =>
  Effect.gen(function*() {
    const ledger = yield* DevnetLedger
    for (let i = 0; i < count; i++) {
      const { tip } = yield* ledger.status
      yield* TestClock.adjust(blockTime)
      assert.strictEqual((yield* ledger.status).tip.number, tip.number + 1)
    }
  })

const codec = Schema.Struct({
  blocks: Schema.Array(Block),
  witnesses: Schema.Array(BlockWitness),
  checkpoints: Schema.Array(CertifiedCheckpoint)
})

/** Everything that provers see of blocks 0 to `to`, as text. */
export const transcript = (to: number) =>
  Effect.gen(function*() {
    return JSON.stringify(Schema.encodeSync(codec)({
      blocks: yield* blocks(0, to + 1),
      witnesses: yield* witnesses(1, to),
      checkpoints: yield* checkpoints(0, Math.floor(to / config.checkpointInterval))
    }))
  })

export const assertCertified = (certified: CertifiedCheckpoint, at = domain, of = config) => {
  const verdict = verifyCertificate(devnetValidatorSet(of, at.epoch), at, certified.checkpoint, certified.certificate)
  assert.isTrue(Result.isSuccess(verdict), String(Result.isFailure(verdict) ? verdict.failure.message : ""))
}

export const genesisId = genesisCheckpoint(devnetGenesis(config).block.ref, devnetGenesis(config).block.header.stateRoot).id

export const refAt = (number: number) => Effect.map(blocks(number, 1), ([block]) => block!.ref)

/** The ledger follows a revert to one of its blocks; the head that is left is the newest checkpoint up to there. */
export const rebuildTo = (number: number, generation: number, of = config) =>
  Effect.gen(function*() {
    const tip = yield* refAt(number)
    const kept = Math.floor(number / of.checkpointInterval)
    const parent = kept === 0 ? genesisId : (yield* checkpoints(0, kept))[kept - 1]!.checkpoint.id
    return yield* DevnetLedger.use((ledger) => ledger.rebuild(tip, parent, generation))
  })

/** What a reader of a stream has in the end, by the port's contract. */
export const chainOf = <A extends { readonly number: number }>(seen: ReadonlyArray<A>) =>
  seen.reduce<ReadonlyArray<A>>((chain, ref) => [...chain.filter(({ number }) => number < ref.number), ref], [])
