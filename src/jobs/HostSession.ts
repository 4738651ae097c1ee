/**
 * This process as a host: what it holds, and what it hears about that.
 */
import { randomUUID } from "node:crypto"
import { Effect, Fiber, PubSub, type Scope, Stream } from "effect"
import type { Database } from "../store/Database.ts"
import { heldBy, leaseKey } from "./Claims.ts"
import { specColumns, type SpecRow, specOf } from "./JobRows.ts"
import type { Capabilities, Host, JobSpec, Lease, OutputInvalid, Progress } from "./Jobs.ts"
import { doneByAnother, type Report } from "./Reports.ts"
import { beat, endedLeases, register, type Session, unregister } from "./Sessions.ts"
import type { Answer, Request } from "./Turn.ts"

type LeaseName = Pick<Lease, "job" | "attempt">
export type Revocation = Stream.Success<Host["revoked"]>

/** What hosts of one process share. */
export interface HostNeeds {
  readonly database: Database["Service"]
  readonly ask: (request: Request) => Effect.Effect<Answer>
  readonly check: (spec: JobSpec, output: Uint8Array) => Effect.Effect<void, OutputInvalid>
  /** Whoever waits for leases looks again. */
  readonly lookAgain: Effect.Effect<void>
  /** Something changed that others in this process may want to show. */
  readonly noteChange: Effect.Effect<void>
  /** Something runs from now on. */
  readonly noteRunning: Effect.Effect<void>
  readonly expiry: number
  readonly scope: Scope.Scope
}

/** How long a host that stops may take to say so. Then its leases end with their time. */
const farewell = "5 seconds"

const why = ({ outcome, reason }: { readonly outcome: string; readonly reason: string }): Revocation["why"] | undefined => {
  if (outcome === "lost") return "expired"
  if (outcome !== "cancelled") return undefined
  return reason === doneByAnother ? doneByAnother : "cancelled"
}

export class HostSession {
  readonly session: string
  private readonly held = new Map<string, Lease>()
  private readonly progress = new Map<string, Progress>()
  private draining = false
  private superseded = false
  private toTell = false
  private readonly revocations: PubSub.PubSub<Revocation>
  readonly name: string
  private readonly can: Capabilities
  private readonly needs: HostNeeds

  constructor(needs: HostNeeds, name: string, can: Capabilities, session: string | undefined, revocations: PubSub.PubSub<Revocation>) {
    this.needs = needs
    this.name = name
    this.can = can
    this.session = session ?? randomUUID()
    this.revocations = revocations
  }

  private get record(): Session {
    return { name: this.name, session: this.session, can: this.can, draining: this.draining, expiry: this.needs.expiry }
  }

  get holdsAny(): boolean {
    return this.held.size > 0
  }

  get running(): ReadonlyArray<Progress> {
    return [...this.progress.values()]
  }

  /** Puts it on record; answers what it held before, where it is the same session. */
  readonly open = Effect.gen({ self: this }, function*() {
    const { database } = this.needs
    yield* register(database, this.record)
    const held = yield* database.read(heldBy(database, this.session)).pipe(Effect.orDie)
    for (const lease of held) this.held.set(leaseKey(lease), lease)
    if (held.length > 0) yield* this.needs.noteRunning
    return held
  })

  readonly close = Effect.gen({ self: this }, function*() {
    this.draining = true
    yield* this.giveBack([...this.held.values()])
    yield* unregister(this.needs.database, this.record)
  }).pipe(Effect.timeoutOption(farewell), Effect.ignoreCause({ log: "Warn", message: "a host could not say that it stops" }))

  readonly beat = Effect.gen({ self: this }, function*() {
    if (this.superseded) return
    const tell = this.toTell
    this.toTell = false
    const standing = yield* beat(this.needs.database, this.record, { draining: this.draining, running: this.running, tell })
    if (standing === "alive") return
    if (standing === "superseded") this.superseded = true
    else yield* register(this.needs.database, this.record)
    yield* this.review
    yield* this.needs.lookAgain
  })

  /** Looks which of its leases have ended without it. */
  readonly review = Effect.gen({ self: this }, function*() {
    if (this.held.size === 0) return
    const { database } = this.needs
    for (const ended of yield* database.read(endedLeases(database, [...this.held.values()])).pipe(Effect.orDie)) {
      const lease = this.held.get(leaseKey(ended))
      const reason = why(ended)
      if (lease === undefined || reason === undefined) continue
      this.drop(lease)
      yield* PubSub.publish(this.revocations, { job: lease.job, attempt: lease.attempt, why: reason })
    }
  })

  private drop(lease: LeaseName): void {
    this.held.delete(leaseKey(lease))
    this.progress.delete(leaseKey(lease))
    this.toTell = true
  }

  private readonly ask = (most: number, wanted: () => boolean) =>
    this.needs.ask({
      _tag: "Take",
      session: this.session,
      host: this.name,
      can: this.can,
      most,
      holds: (lease) => this.held.has(leaseKey(lease)),
      wanted
    }).pipe(
      Effect.map((answer) => answer as ReadonlyArray<Lease>),
      Effect.tap((leases) => {
        if (leases.length === 0) return Effect.void
        for (const lease of leases) this.held.set(leaseKey(lease), lease)
        this.toTell = true
        return this.needs.noteRunning
      })
    )

  /** What was taken for somebody who is no longer there to do it goes back. */
  readonly take = (most: number): Effect.Effect<ReadonlyArray<Lease>> =>
    Effect.uninterruptibleMask((restore) => {
      let left = false
      const wanted = () => !left && !this.draining && !this.superseded
      if (!wanted()) return restore(Effect.never)
      const { scope } = this.needs
      return Effect.flatMap(Effect.forkIn(this.ask(most, wanted), scope, { startImmediately: true }), (asked) =>
        restore(Effect.flatMap(Fiber.join(asked), (leases) => (leases.length > 0 ? Effect.succeed(leases) : Effect.never))).pipe(
          Effect.onInterrupt(() => {
            left = true
            return Effect.forkIn(Effect.flatMap(Fiber.join(asked), (leases) => this.giveBack(leases)), scope)
          })
        ))
    })

  private readonly report = (lease: LeaseName, end: Report["end"]) =>
    this.needs.ask({ _tag: "Report", session: this.session, job: lease.job, attempt: lease.attempt, end }).pipe(
      Effect.map((counted) => counted === true),
      Effect.tap(() => Effect.sync(() => this.drop(lease)))
    )

  private readonly specOf = Effect.fnUntraced(function*(this: HostSession, job: string) {
    const { sql } = this.needs.database
    const [row] = yield* sql<SpecRow & { bytes: Uint8Array }>`SELECT ${specColumns(sql)}, (SELECT bytes FROM blobs WHERE hash = jobs.input) AS bytes
      FROM jobs WHERE id = ${job} AND state <> 'done'`
    return row === undefined ? undefined : specOf(row, row.bytes)
  }, Effect.orDie)

  readonly done = (lease: LeaseName, output: Uint8Array): Effect.Effect<boolean, OutputInvalid> =>
    Effect.gen({ self: this }, function*() {
      const spec = this.held.get(leaseKey(lease))?.spec ?? (yield* this.needs.database.read(this.specOf(lease.job)))
      if (spec === undefined) return false
      yield* this.needs.check(spec, output).pipe(Effect.tapError((error) => this.failed(lease, error.message, true)))
      return yield* this.report(lease, { _tag: "Done", output })
    })

  readonly failed = (lease: LeaseName, reason: string, retry: boolean) => this.report(lease, { _tag: "Failed", reason, retry })

  readonly giveBack = (leases: ReadonlyArray<LeaseName>) =>
    Effect.forEach(leases, (lease) => this.report(lease, { _tag: "Returned" }), { concurrency: "unbounded", discard: true })

  readonly drain = Effect.suspend(() => {
    this.draining = true
    this.toTell = true
    return this.beat
  })

  readonly setProgress = (progress: Progress) =>
    Effect.suspend(() => {
      if (!this.held.has(leaseKey(progress))) return Effect.void
      this.progress.set(leaseKey(progress), progress)
      this.toTell = true
      return this.needs.noteChange
    })

  /** As whoever does the work sees it. */
  get host(): Host {
    return {
      name: this.name,
      take: this.take,
      revoked: Stream.fromPubSub(this.revocations),
      progress: this.setProgress,
      done: this.done,
      failed: this.failed,
      giveBack: this.giveBack,
      drain: this.drain
    }
  }
}
