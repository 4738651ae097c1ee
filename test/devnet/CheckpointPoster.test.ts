import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, FileSystem, Schedule } from "effect"
import { createPublicClient, createTestClient, http, pad, parseEventLogs, toHex } from "viem"
import { l1Accounts, putContracts, startL1 } from "../../src/devnet/Chain.ts"
import { postCheckpoints } from "../../src/devnet/CheckpointPoster.ts"
import { defaultDevnet } from "../../src/devnet/DevnetConfig.ts"
import type { CheckpointId } from "../../src/domain/Hash.ts"
import { checkpointRegistryAbi, rewardVaultAbi } from "../../src/l1/abi.ts"
import { DevnetLedger } from "../../src/ledger/DevnetLedger.ts"
import { DevnetLedgerConfig } from "../../src/ledger/DevnetLedgerConfig.ts"
import { blocks, checkpoints } from "../ledger/devnet.ts"

const config = { ...defaultDevnet, ledger: new DevnetLedgerConfig({ blockTime: Duration.millis(500) }) }

describe("what the sequencers post and pay", () => {
  it.live("CP-4, RW-5: after a revert the rebuilt checkpoints follow, and the fees of dropped blocks are not paid in a second time", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const { deployment, url } = yield* putContracts(yield* startL1(config, yield* fs.makeTempDirectoryScoped()), config)
      const client = createPublicClient({ transport: http(url), cacheTime: 0 })
      const registry = { address: deployment.registry, abi: checkpointRegistryAbi } as const
      const domain = { chainId: BigInt(deployment.chainId), registry: deployment.registry, epoch: 0n }

      const registered = Effect.promise(async () => {
        const logs = await client.getLogs({ address: deployment.registry, fromBlock: 0n })
        return parseEventLogs({ abi: checkpointRegistryAbi, eventName: "CheckpointRegistered", logs }).map(({ args }) => args)
      })
      const paid = Effect.promise(async () => {
        const logs = await client.getLogs({ address: deployment.vault, fromBlock: 0n })
        return parseEventLogs({ abi: rewardVaultAbi, eventName: "Funded", logs }).reduce((sum, { args }) => sum + args.amount, 0n)
      })
      /** The checkpoints that the registry took so far, dead ones too, once they are what is waited for. */
      const until = (done: (all: Effect.Success<typeof registered>) => boolean) =>
        Effect.repeat(registered, { schedule: Schedule.spaced("100 millis"), until: done })
      const feesUpTo = (number: number) =>
        Effect.map(blocks(1, number), (made) => made.reduce((sum, { header }) => sum + header.proverFees, 0n))

      /** The registry as a revert leaves it: an older checkpoint is the head again. */
      const putHead = (id: CheckpointId) =>
        Effect.promise(async () => {
          const head = await client.readContract({ ...registry, functionName: "headId" })
          for (let slot = 0; slot < 16; slot++) {
            const index = pad(toHex(slot))
            if ((await client.getStorageAt({ address: deployment.registry, slot: index })) !== head) continue
            return createTestClient({ mode: "anvil", transport: http(url) }).setStorageAt({ address: deployment.registry, index, value: id })
          }
          throw new Error("the registry keeps its head elsewhere")
        })

      yield* Effect.gen(function*() {
        const ledger = yield* DevnetLedger
        const poster = {
          url,
          account: l1Accounts.sequencer,
          registry: deployment.registry,
          vault: deployment.vault,
          deployedAt: deployment.block
        }
        const first = yield* Effect.forkChild(postCheckpoints(poster))
        yield* until((all) => all.at(-1)!.number >= 12n)
        const [head] = yield* checkpoints(0, 1)
        const tip = (yield* blocks(3, 1))[0]!.ref

        // It may have paid for any block that there was.
        const paidBefore = yield* feesUpTo(Number((yield* ledger.status).tip.number))
        assert.isTrue((yield* paid) > (yield* feesUpTo(3)))
        yield* ledger.rebuild(tip, head!.checkpoint.id, 1)
        yield* putHead(head!.checkpoint.id)
        const rebuilt = (yield* checkpoints(2, 3)).map(({ checkpoint }) => checkpoint)
        const all = yield* until((seen) => seen.some(({ id }) => id === rebuilt[2]!.id))
        assert.deepStrictEqual(all.filter(({ id }) => rebuilt.some((each) => each.id === id)).map(({ number, parentId }) => [number, parentId]), [
          [4n, head!.checkpoint.id],
          [6n, rebuilt[0]!.id],
          [8n, rebuilt[1]!.id]
        ])

        // Stopped and started again, it finds the same.
        yield* Fiber.interrupt(first)
        const second = yield* Effect.forkChild(postCheckpoints(poster))
        yield* until((all) => all.at(-1)!.number >= 14n)
        yield* Fiber.interrupt(second)
        const newest = Number((yield* until(() => true)).at(-1)!.number)
        const [total, owed, most] = [yield* paid, yield* feesUpTo(newest), yield* feesUpTo(newest + 2)]
        assert.isTrue(total >= owed, "what is registered is paid for")
        assert.isTrue(total <= (most > paidBefore ? most : paidBefore), `${total} wei paid, ${most} owed, at most ${paidBefore} paid before the revert`)
      }).pipe(Effect.provide(DevnetLedger.layer(config.ledger, { filename: ":memory:", domain: Effect.succeed(domain) })))
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 180_000)
})
