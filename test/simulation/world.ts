/** What the tests of whole nodes share. */
import { assert } from "@effect/vitest"
import { type Context, Duration, Effect, type Layer, Stream } from "effect"
import type { Address } from "../../src/domain/Hash.ts"
import type { L1Event } from "../../src/l1/Events.ts"
import type { Roles } from "../../src/node/ProverNode.ts"
import { RewardAuditor } from "../../src/roles/RewardAuditor.ts"
import { Settler } from "../../src/roles/Settler.ts"
import { ModelChain, nonceIn } from "../../src/simulation/ModelChain.ts"
import { layer, type Operator, type SimulationOptions } from "../../src/simulation/Simulation.ts"

export const minute = 60
export const hour = 3_600

/**
 * Four blocks, ten minutes apart, with a checkpoint for every two; L1 makes a block of a transaction within a second, and an empty
 * one every five minutes, so that hours without news cost little.
 */
export const worldOf = (seed: string, options: Partial<SimulationOptions> = {}) =>
  layer({
    seed,
    ...options,
    ledger: { blockTime: Duration.minutes(10), checkpointInterval: 2, length: 4, ...options.ledger },
    chain: { slot: Duration.seconds(1), emptyBlocks: Duration.minutes(5), ...options.chain }
  })

export type World = Layer.Success<ReturnType<typeof worldOf>>

/** What L1 said, and when in its seconds. */
export const history = Effect.flatMap(ModelChain, (chain) =>
  Effect.map(chain.blocks, (blocks) => blocks.flatMap(({ events, timestamp }) => events.map((event) => ({ at: Number(timestamp), event })))))

type Tagged<Tag extends L1Event["_tag"]> = Extract<L1Event, { readonly _tag: Tag }>

/** All events of a kind with their L1 times. */
export const said = <Tag extends L1Event["_tag"]>(tag: Tag) =>
  Effect.map(history, (all) => all.flatMap(({ at, event }) => event._tag === tag ? [{ ...event as Tagged<Tag>, time: at }] : []))

/** All credits of an account, by kind. */
export const creditsOf = (account: Address) =>
  Effect.map(said("Credited"), (all) =>
    all.filter((credit) => credit.account === account).reduce<Partial<Record<Tagged<"Credited">["kind"], bigint>>>(
      (sums, { amount, kind }) => ({ ...sums, [kind]: (sums[kind] ?? 0n) + amount }),
      {}
    ))

/** Every transaction of an account that L1 has, as one word each, with how it ended where it failed. */
export const deedsOf = (account: Address) =>
  Effect.flatMap(ModelChain, (chain) =>
    Effect.map(chain.blocks, (blocks) =>
      blocks.flatMap(({ transactions }) =>
        transactions.flatMap(({ error, transaction: { call, sender } }) => {
          if (sender !== account) return []
          const about = call.kind === "update" ? ` to ${call.update.statement.to.number}` : call.kind === "redundant" ? ` to ${call.redundant.transition.to.number}` : ""
          return [`${call.kind}${about}${error === undefined ? "" : `: ${error}`}`]
        })
      )))

const first = <A, E>(stream: Stream.Stream<A, E>) => Effect.orDie(Effect.flatMap(Stream.runHead(stream), Effect.fromOption))

/** A role of an operator, as a client. */
const of = ({ roles }: Operator) => <A, E>(effect: Effect.Effect<A, E, Roles>) => Effect.provideContext(effect, roles as Context.Context<Roles>)

export const activityOf = (operator: Operator) => of(operator)(Effect.flatMap(Settler, (settler) => Effect.map(first(settler.changes()), ({ activity }) => activity)))
export const redundancyOf = (operator: Operator) => of(operator)(Effect.flatMap(Settler, (settler) => Effect.map(first(settler.changes()), ({ redundancy }) => redundancy)))
export const auditOf = (operator: Operator) => of(operator)(Effect.flatMap(RewardAuditor, (auditor) => first(auditor.changes())))

/** Waits, at most for two days, and looks again after every so many seconds. */
export const until = Effect.fnUntraced(function*<E, R>(what: string, condition: Effect.Effect<boolean, E, R>, every = 1) {
  for (let second = 0; second < 48 * hour; second += every) {
    if (yield* condition) return
    yield* Effect.sleep(Duration.seconds(every))
  }
  assert.fail(`not within two days: ${what}`)
})

/** The books hold (RW-5), every nonce was used once (ND-3), and no role had to be restarted. */
export const assertSound = Effect.fnUntraced(function*(operator: Operator, restarts = 0) {
  const audit = yield* auditOf(operator)
  assert.deepStrictEqual(audit.alarms, [])
  const head = yield* (yield* ModelChain).head
  assert.strictEqual((yield* deedsOf(operator.account)).length, nonceIn(head, operator.account))
  const supervisor = yield* Effect.flatMap(operator.supervisor, Effect.fromOption)
  assert.strictEqual((yield* supervisor.status).reduce((sum, role) => sum + role.restarts, 0), restarts)
})
