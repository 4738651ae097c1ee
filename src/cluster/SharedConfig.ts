/**
 * What every host of an operator must know, in the database that they share. A host that is started with `--config` writes it; those that
 * join read it. The key of the L1 account is not in it: control hosts have it in a file of their own.
 *
 * Who may read the database may read the secrets in it. That gives away no more than the database does: whoever writes there decides
 * what the hosts do.
 */
import { Effect, Option, Redacted, Runtime, Schema, Struct } from "effect"
import { randomBytes } from "node:crypto"
import type { ProverPrice } from "../domain/Amount.ts"
import { Address } from "../domain/Hash.ts"
import { Deployment } from "../l1/Deploy.ts"
import { L1Config, NodeConfig, ProvingConfig } from "../node/NodeConfig.ts"
import { Address as SocketAddress, type Secret } from "../rpc/SecureSocket.ts"
import { Database } from "../store/Database.ts"

const Bytes = Schema.Uint8ArrayFromHex

export class SharedConfig extends Schema.Class<SharedConfig>("lignum/SharedConfig")({
  /** The L1 account that all hosts work for. */
  account: Address,
  ...Struct.pick(NodeConfig.fields, ["rollup", "work", "gossip", "settling", "flagging", "quotePort"]),
  l1: Schema.Struct(Struct.pick(L1Config.fields, ["url", "pollInterval", "confirmations"])),
  proving: Schema.Struct(Struct.pick(ProvingConfig.fields, ["bigFrom"])),
  deployment: Deployment,
  ledger: Schema.Struct({ ...SocketAddress.fields, secret: Bytes }),
  /** The operator's identity among peers, wherever the proof exchange is. */
  peerKey: Bytes,
  /** What the hosts prove to each other that they know. */
  secret: Bytes
}) {
  get clusterSecret(): Secret {
    return Redacted.make(this.secret)
  }
}

/** No host was started with a configuration yet, or this version cannot read the one that is there. */
export class ConfigMissing extends Schema.TaggedError<ConfigMissing>()("ConfigMissing", { reason: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 2

  override get message() {
    return `${this.reason}: start the operator's first host with \`lignum node --config FILE\`, whose \`cluster\` names this database`
  }
}

const Body = Schema.fromJsonString(Schema.toCodecJson(SharedConfig))

const table = Effect.fnUntraced(function*() {
  const { read, sql } = yield* Database
  yield* read(Effect.retry(
    sql`CREATE TABLE IF NOT EXISTS operator_config (one BOOLEAN PRIMARY KEY CHECK (one), body TEXT NOT NULL)`,
    // Another host makes it at the same moment.
    { times: 3 }
  ))
  return sql
})

const present = Effect.gen(function*() {
  const sql = yield* table()
  const [row] = yield* sql<{ body: string }>`SELECT body FROM operator_config`
  return row === undefined ? Option.none() : yield* Effect.option(Schema.decodeEffect(Body)(row.body))
}).pipe(Effect.orDie)

/** Replaces what is there by what becomes of it; of two that do this at once, one sees what the other wrote. */
const change = (next: (before: Option.Option<SharedConfig>) => SharedConfig) =>
  Effect.gen(function*() {
    const { commit } = yield* Database
    const sql = yield* table()
    return yield* commit(Effect.gen(function*() {
      yield* sql`LOCK TABLE operator_config IN EXCLUSIVE MODE`
      const config = next(yield* present)
      const body = yield* Schema.encodeEffect(Body)(config)
      yield* sql`INSERT INTO operator_config (one, body) VALUES (TRUE, ${body}) ON CONFLICT (one) DO UPDATE SET body = excluded.body`
      return { result: config, news: [["operator", ""]] }
    }))
  }).pipe(Effect.orDie)

/** Writes what an operator decided; who it is among peers and the hosts' secret stay what they are. Other hosts take it when they start. */
export const publish = Effect.fn("SharedConfig.publish")((decided: Omit<typeof SharedConfig.Type, "secret" | "clusterSecret">) =>
  change((before) => new SharedConfig({
    ...decided,
    secret: new Uint8Array(randomBytes(32)),
    ...Option.match(before, { onNone: () => ({}), onSome: ({ peerKey, secret }) => ({ peerKey, secret }) })
  })))

/** What the operator's hosts know. */
export const read: Effect.Effect<SharedConfig, ConfigMissing, Database> = Effect.flatMap(present, Option.match({
  onNone: () => Effect.fail(new ConfigMissing({ reason: "the database has no configuration of an operator" })),
  onSome: Effect.succeed
}))

/** Changes prices: control hosts hear of it at once, and take them. */
export const reprice = (price: ProverPrice): Effect.Effect<void, never, Database> =>
  Effect.asVoid(change(Option.match({
    onNone: () => {
      throw new Error("the operator's configuration is gone from the database")
    },
    onSome: (config) =>
      new SharedConfig({
        ...config,
        work: { ...config.work, reservationPrice: price },
        ...(config.flagging === undefined ? {} : { flagging: { ...config.flagging, provingCost: price } })
      })
  })))
