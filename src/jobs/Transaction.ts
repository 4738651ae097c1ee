/**
 * One transaction over jobs, and the changes that are made in it: to the jobs' own rows in the end, all at once.
 */
import { Effect, Option } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import type { Database, News } from "../store/Database.ts"
import { jsonRows } from "../store/JsonRows.ts"
import { inOneTrip } from "../store/OneTrip.ts"
import { putOutputs } from "./JobRows.ts"
import type { AttemptOutcome, JobSpec, JobState } from "./Jobs.ts"
import { whyGivenUp } from "./Quarantine.ts"

/** A job's row, as far as reports and submissions may change it. */
export interface Standing {
  readonly id: string
  readonly seq: number
  state: JobState
  reason: string
  priority: number
  /** Number of its newest attempt: the running one, where it runs. */
  attempts: number
  /** Attempts that failed or were lost; whether that is too many is looked into where there are any. */
  troubles: number
  /** Who holds it, or held it last. */
  session: string | null
  /** The session and the attempt that ended it. */
  ended_by: string | null
}

/** What was made by a job. */
export interface Output {
  readonly id: string
  readonly seq: number
  readonly bytes: Uint8Array
}

interface EndedAttempt {
  readonly job: string
  readonly number: number
  readonly outcome: AttemptOutcome
  readonly reason: string
}

export class Transaction {
  readonly rows = new Map<string, Standing>()
  /** Outputs to be kept. */
  readonly outputs: Array<Output> = []
  private readonly changed = new Set<Standing>()
  private readonly ends: Array<EndedAttempt> = []
  /** What was done just now; others may wait for it. */
  private readonly done: Array<string> = []
  private readonly troubled = new Set<Standing>()
  private readonly ended: Array<string> = []
  private readonly revoked = new Set<string>()
  private ready = false
  private anyReady = false
  private readonly knownReady: Array<JobSpec> = []
  readonly sql: SqlClient.SqlClient
  private readonly by: string
  private readonly database: Database["Service"]

  /** @param by who makes it, for those to whom its news is nothing new */
  constructor(database: Database["Service"], by = "") {
    this.by = by
    this.database = database
    this.sql = database.sql
  }

  /** Reads jobs, which nobody else can change until this transaction ends. All of them in one go: in two, others might wait crosswise. */
  readonly hold = Effect.fnUntraced(function*(this: Transaction, ids: Iterable<string>) {
    const { database, sql } = this
    const wanted = [...new Set(ids)].map((id) => ({ id }))
    if (wanted.length === 0) return
    const rows = yield* sql<Standing>`SELECT j.id, CAST(j.seq AS float8) AS seq, j.state, j.reason, j.priority, j.attempts, j.troubles, j.session, j.ended_by
      FROM ${jsonRows(sql, { id: "text" }, wanted)} JOIN jobs j ON j.id = given.id ORDER BY j.seq ${sql.literal(database.dialect === "postgres" ? "FOR UPDATE OF j" : "")}`
    for (const row of rows) {
      this.rows.set(row.id, { ...row })
      // Whoever looked for work meanwhile may have passed this one over, as it was held.
      if (row.state === "ready") this.noteReady()
    }
  })

  change(row: Standing, to: Partial<Omit<Standing, "id" | "seq">>): void {
    Object.assign(row, to)
    this.changed.add(row)
    if (to.state === "done") this.done.push(row.id)
    if (to.state === "ready") this.noteReady()
    if (to.state === "done" || to.state === "cancelled" || to.state === "quarantined") this.ended.push(row.id)
  }

  /** Ends the running attempt of a job; `to` says how the job goes on. */
  endAttempt(row: Standing, outcome: AttemptOutcome, reason: string, to: Partial<Omit<Standing, "id" | "seq">>): void {
    this.ends.push({ job: row.id, number: row.attempts, outcome, reason })
    const troubles = outcome === "failed" || outcome === "lost" ? row.troubles + 1 : row.troubles
    if (troubles > row.troubles) this.troubled.add(row)
    this.change(row, { ...to, troubles })
  }

  /** Tells whoever runs it that its lease has ended. */
  revoke(row: Standing): void {
    if (row.session !== null) this.revoked.add(row.session)
  }

  /** Jobs are ready that were not before; any, unless it is said which. */
  noteReady(jobs?: ReadonlyArray<JobSpec>): void {
    this.ready = true
    if (jobs === undefined) this.anyReady = true
    else this.knownReady.push(...jobs)
  }

  /** Whether there may be something to take that was not there before. */
  mayHave(fits: (job: JobSpec) => boolean): boolean {
    return this.anyReady || this.knownReady.some(fits)
  }

  noteEnded(job: string): void {
    this.ended.push(job)
  }

  /** Writes all changes down. */
  readonly flush = Effect.fnUntraced(function*(this: Transaction) {
    const { sql } = this
    const now = yield* this.database.now
    const writes: Array<Statement.Statement<unknown>> = []
    if (this.outputs.length > 0) writes.push(putOutputs(sql, this.outputs))
    if (this.ends.length > 0) {
      writes.push(sql`UPDATE job_attempts SET outcome = given.outcome, reason = given.reason, ended_at = ${now}
        FROM ${jsonRows(sql, { job: "text", number: "int4", outcome: "text", reason: "text" }, this.ends)}
        WHERE job_attempts.job = given.job AND job_attempts.number = given.number AND job_attempts.outcome = 'running'`)
    }
    const doubtful = [...this.troubled].filter(({ state }) => state === "ready")
    if (doubtful.length > 0) yield* inOneTrip(this.database, writes.splice(0))
    for (const row of doubtful) {
      const why = yield* whyGivenUp(sql, row.id)
      if (Option.isSome(why)) this.change(row, { state: "quarantined", reason: why.value })
    }
    if (this.changed.size > 0) writes.push(this.writeRows([...this.changed]))
    if (this.done.length === 0) yield* inOneTrip(this.database, writes)
    else yield* this.unblock(yield* inOneTrip(this.database, writes, this.waitingForDone()))
  })

  private writeRows(rows: ReadonlyArray<Standing>) {
    const columns = { id: "text", state: "text", reason: "text", troubles: "int4", ended_by: "text" } as const
    return this.sql`UPDATE jobs SET state = given.state, reason = given.reason, troubles = given.troubles, ended_by = given.ended_by
      FROM ${jsonRows(this.sql, columns, rows)} WHERE jobs.id = given.id`
  }

  /** Those that wait for what was done. As the jobs that they need are held before, it sees all who began to wait meanwhile. */
  private waitingForDone() {
    const { database, done, sql } = this
    const lock = sql.literal(database.dialect === "postgres" ? "ORDER BY j.seq FOR UPDATE OF j" : "")
    return sql<{ id: string }>`SELECT j.id FROM ${jsonRows(sql, { need: "text" }, done.map((need) => ({ need })))}
      JOIN job_needs n ON n.need = given.need JOIN jobs j ON j.id = n.job WHERE j.state = 'blocked' ${lock}`
  }

  /** Those that waited for nothing but what was done are ready. */
  private readonly unblock = Effect.fnUntraced(function*(this: Transaction, waiting: ReadonlyArray<{ readonly id: string }>) {
    const { sql } = this
    if (waiting.length === 0) return
    const counts = new Map<string, number>()
    for (const { id } of waiting) counts.set(id, (counts.get(id) ?? 0) + 1)
    const fewer = [...counts].map(([id, fewer]) => ({ id, fewer }))
    yield* sql`UPDATE jobs SET waiting = waiting - given.fewer, state = CASE WHEN waiting = given.fewer THEN 'ready' ELSE state END
      FROM ${jsonRows(sql, { id: "text", fewer: "int4" }, fewer)} WHERE jobs.id = given.id AND jobs.state = 'blocked'`
    this.noteReady()
  })

  /** What there is to tell once it is committed. */
  get news(): ReadonlyArray<News> {
    return [
      ...(this.ready ? [["jobs-ready", this.by] as const] : []),
      ...inPayloads(this.ended).map((payload) => ["jobs-ended", payload] as const),
      ...[...this.revoked].map((session) => ["jobs-revoked", session] as const)
    ]
  }
}

/** Postgres takes payloads of up to 8,000 bytes. */
const payloadSize = 7_000

/** Ids in as few payloads as hold them; one that does not fit is told as the empty payload, which is about any job. */
const inPayloads = (ids: ReadonlyArray<string>): ReadonlyArray<string> => {
  const payloads: Array<string> = []
  let payload = ""
  for (const id of ids) {
    if (Buffer.byteLength(id) > payloadSize) payloads.push("")
    else if (payload !== "" && Buffer.byteLength(payload) + Buffer.byteLength(id) >= payloadSize) {
      payloads.push(payload)
      payload = id
    } else payload = payload === "" ? id : `${payload}\n${id}`
  }
  return payload === "" ? payloads : [...payloads, payload]
}
