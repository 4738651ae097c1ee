/** Several operators, each in a process of its own, that reach each other through sockets alone. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schedule, Schema, Stream } from "effect"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DevnetReport, isSound } from "../../src/devnet/Report.ts"
import { BlockNumber } from "../../src/domain/Amount.ts"
import type { Address } from "../../src/domain/Hash.ts"
import { seededRandom } from "../../src/ledger/SeededRandom.ts"
import { RpcFile, rpcFile } from "../../src/node/NodeFiles.ts"
import { connectNode } from "../../src/node/ProverNode.ts"
import { CheckpointWatcher } from "../../src/roles/CheckpointWatcher.ts"
import { RoleTransport } from "../../src/rpc/RoleTransport.ts"
import { readSecret } from "../../src/rpc/SecureSocket.ts"
import * as SocketTransport from "../../src/rpc/SocketTransport.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteDatabase from "../../src/store/SqliteDatabase.ts"
import * as SqlStore from "../../src/store/SqlStore.ts"
import { Store } from "../../src/store/Store.ts"
import { lastLine, lignum } from "../cli/lignum.ts"

const soon = Schedule.spaced("200 millis")

/** Where a node listens at the moment, and its process. */
const whereabouts = (folder: string) => {
  const file = join(folder, rpcFile)
  return Effect.try({ try: () => Schema.decodeSync(RpcFile)(readFileSync(file, "utf8")), catch: () => new Error(`${folder} has no node yet`) })
}

/** A node that somebody else runs, as one who knows its secret sees it. */
const connect = Effect.fnUntraced(function*(folder: string) {
  const secretFile = join(folder, "rpc.secret")
  const secret = yield* readSecret(secretFile).pipe(Effect.retry(soon))
  const transport = SocketTransport.connecting({ secret, locate: whereabouts(folder) })
  const node = yield* Layer.build(connectNode).pipe(Effect.provideService(RoleTransport, transport))
  return {
    pid: Effect.retry(Effect.map(whereabouts(folder), ({ pid }) => pid), soon),
    /** Waits until it has seen so many updates on L1; answers how many it sees. */
    hasSeen: (updates: number) =>
      Context.get(node, CheckpointWatcher).changes().pipe(
        Stream.filter((view) => view.updates >= updates),
        Stream.runHead,
        Effect.flatMap(Effect.fromOption),
        Effect.map((view) => view.updates)
      )
  }
})

/** Who proved which block. */
const leaf = (prover: Address, block: number) => `block ${block} by ${prover}`

/** The proofs that a node had kept when it stopped. It keeps none that it did not verify. */
const keptBy = (folder: string) =>
  Effect.flatMap(Store, (store) => store.proofsBeyond(BlockNumber.make(0))).pipe(
    Effect.provide(SqlStore.layer.pipe(Layer.provide(SqliteDatabase.layer), Layer.provide(layerSqlite(join(folder, "node.db"))))),
    Effect.map((proofs) => new Set(proofs.flatMap(({ statement: { from, leaves } }) => leaves.map(({ prover }, i) => leaf(prover, from.number + 1 + i)))))
  )

const exists = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe("three operators in processes of their own", () => {
  it.live("OC-1, ND-1: each is paid, proofs are verified before use, and whoever is killed comes back while the others settle on", () =>
    Effect.gen(function*() {
      const data = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lignum-operators-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const folders = [1, 2, 3].map((i) => join(data, `prover-${i}`))
      const random = seededRandom("operators", process.env.LIGNUM_TEST_SEED ?? "1")
      const devnet = yield* Effect.acquireRelease(
        Effect.sync(() => lignum(["devnet", "--data", data, "--operators", "3", "--block-time", "5 seconds", "--blocks-per-update", "2", "--until-updates", "7", "--json"])),
        (running) => Effect.sync(running.killAll)
      )
      const nodes = yield* Effect.forEach(folders, connect)
      const pids: Array<number> = []

      let settled = yield* nodes[0]!.hasSeen(1)
      for (let kill = 0; kill < 2; kill++) {
        const [victim] = nodes.splice(random.integer(nodes.length), 1)
        yield* Effect.sleep(random.integer(8_000))
        const pid = yield* victim!.pid
        process.kill(pid, "SIGKILL")
        settled = yield* nodes[0]!.hasSeen(settled + 1)
        const again = yield* Effect.repeat(victim!.pid, { schedule: soon, until: (one) => one !== pid })
        assert.isAtLeast(yield* victim!.hasSeen(settled), settled, "it has caught up")
        assert.isFalse(exists(pid))
        nodes.push(victim!)
        pids.push(again)
      }
      pids.push(...yield* Effect.forEach(nodes, ({ pid }) => pid))

      const ended = yield* Effect.promise(() => devnet.ended)
      assert.strictEqual(ended.code, 0, ended.stderr)
      const report = Schema.decodeUnknownSync(Schema.toCodecJson(DevnetReport))(lastLine(ended))
      assert.isTrue(isSound(report), JSON.stringify(report.invariants))
      for (const pid of pids) assert.isFalse(exists(pid), "nothing is left behind")
      for (const folder of folders) assert.isFalse(existsSync(join(folder, rpcFile)), "where nobody listens, no address stands")

      for (const { credited, leaves, name } of report.operators) {
        assert.isAbove(leaves, 0, `${name} was paid for no block`)
        assert.isTrue(credited > 0n, name)
      }
      const kept = new Map(yield* Effect.forEach(report.operators, ({ account, name }) =>
        Effect.map(keptBy(join(data, name)), (leaves) => [account, leaves] as const)))
      for (const { from, provers, submitter } of report.updates) {
        for (const [i, prover] of provers.entries()) {
          const used = leaf(prover, from + 1 + i)
          assert.isTrue(kept.get(submitter)!.has(used), `${submitter} settled ${used}, which it had not verified`)
          assert.isTrue(kept.get(prover)!.has(used))
        }
      }
      for (const [account, leaves] of kept) assert.isTrue([...leaves].some((one) => !one.endsWith(account)), `${account} has verified no proof of another`)
      assert.isTrue(report.updates.some(({ provers }) => new Set(provers).size > 1), "an update has leaves of several operators")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 900_000)
})
