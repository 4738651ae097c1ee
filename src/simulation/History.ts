/**
 * The event log of a simulation: every event on L1 and every change of every role's status, in order, each as one line of JSON with
 * its virtual time. Equal seeds give equal logs, byte for byte.
 */
import { Clock, Context, Effect, Schema, type Scope, Stream } from "effect"
import { L1Event } from "../l1/Events.ts"
import { CheckpointWatcher, L1View } from "../roles/CheckpointWatcher.ts"
import { FeeController, PriceView } from "../roles/FeeController.ts"
import { PoolStatus, ProverPool } from "../roles/ProverPool.ts"
import { AuditReport, RewardAuditor } from "../roles/RewardAuditor.ts"
import { Settler, SettlerStatus } from "../roles/Settler.ts"
import { PlannerView, TreePlanner } from "../roles/TreePlanner.ts"
import { ModelChain } from "./ModelChain.ts"
import type { Operator } from "./Simulation.ts"

/** What a simulation did so far. */
export interface History {
  /** One line for each event, oldest first. */
  readonly lines: Effect.Effect<ReadonlyArray<string>>
}

/** Writes down what happens from here on, until the scope closes. */
export const record = Effect.fnUntraced(function*(operators: ReadonlyArray<Operator>): Effect.fn.Return<History, never, ModelChain | Scope.Scope> {
  const chain = yield* ModelChain
  const lines: Array<string> = []
  const write = (entry: Record<string, unknown>) =>
    Effect.map(Clock.currentTimeMillis, (at) => {
      lines.push(JSON.stringify({ at, ...entry }))
    })

  const encodeEvent = Schema.encodeSync(Schema.toCodecJson(L1Event))
  /** Hashes of the blocks that were written down, by number: a reorganisation has others in their place. */
  const known: Array<string> = []
  yield* Effect.forkScoped(Stream.runForEach(chain.changes, () =>
    Effect.gen(function*() {
      for (const { events, hash, number, timestamp, transactions } of yield* chain.blocks) {
        if (known[number] === hash) continue
        known.length = number
        known[number] = hash
        yield* write({ l1Block: number, hash, timestamp: `${timestamp}`, failed: transactions.flatMap(({ error }) => error ?? []) })
        for (const event of events) yield* write({ l1Block: number, event: encodeEvent(event) })
      }
    })))

  for (const { name, roles } of operators) {
    const follow = <S extends Schema.Codec<unknown, unknown>>(role: string, schema: S, changes: Stream.Stream<S["Type"], unknown>) => {
      const encode = Schema.encodeUnknownSync(Schema.toCodecJson(schema))
      return Effect.forkScoped(Stream.runForEach(changes, (status) => write({ operator: name, role, status: encode(status) })))
    }
    yield* follow("checkpoint-watcher", L1View, Context.get(roles, CheckpointWatcher).changes())
    yield* follow("tree-planner", PlannerView, Context.get(roles, TreePlanner).changes())
    yield* follow("prover-pool", PoolStatus, Context.get(roles, ProverPool).changes())
    yield* follow("fee-controller", PriceView, Context.get(roles, FeeController).changes())
    yield* follow("settler", SettlerStatus, Context.get(roles, Settler).changes())
    yield* follow("reward-auditor", AuditReport, Context.get(roles, RewardAuditor).changes())
  }
  return { lines: Effect.sync(() => lines) }
})
