/**
 * One turn of the group commit: reports, then submissions, then leases, in one transaction. A job that becomes ready by it is leased in
 * the same one, where a host of this process waits for such.
 */
import { Effect } from "effect"
import type { Database } from "../store/Database.ts"
import { canDo, heldBy, leaseKey, type Take, take } from "./Claims.ts"
import type { JobSpec, Lease } from "./Jobs.ts"
import { applyReport, type Report } from "./Reports.ts"
import { lockSubmissions, submit } from "./Submissions.ts"
import { type Output, Transaction } from "./Transaction.ts"

export interface Submit {
  readonly _tag: "Submit"
  readonly jobs: ReadonlyArray<JobSpec>
}

export type Request = Submit | Report | Take

/** To a report: whether it counted. To a take: the leases; none where nobody waits for them any more. */
export type Answer = boolean | ReadonlyArray<Lease>

export interface Turn {
  /** In the order of the requests, and then of those put off; `undefined` puts a take off until something is ready. */
  readonly answers: ReadonlyArray<Answer | undefined>
  /** What was done in it. */
  readonly outputs: ReadonlyArray<Output>
}

/** Bytes that go along with a request. */
export const weigh = (request: Request): number => {
  if (request._tag === "Submit") return request.jobs.reduce((sum, { input }) => sum + input.length, 0)
  return request._tag === "Report" && request.end._tag === "Done" ? request.end.output.length : 0
}

const ofKind = <Tag extends Request["_tag"]>(requests: ReadonlyArray<Request>, tag: Tag) =>
  requests.filter((request): request is Extract<Request, { _tag: Tag }> => request._tag === tag)

/**
 * Does all of a turn, and answers each request.
 *
 * @param by tells the news of this turn from others: those put off here are served in it, and need not hear that something is ready
 * @param noteFresh hears of jobs that were not on record before, before anybody can do them
 */
export const turn = (
  { by, database, noteFresh }: { readonly database: Database["Service"]; readonly by: string; readonly noteFresh: (jobs: ReadonlyArray<string>) => void },
  requests: ReadonlyArray<Request>,
  putOff: ReadonlyArray<Request>
): Effect.Effect<Turn> => {
  let tries = 0
  const reports = ofKind(requests, "Report")
  const submitted = ofKind(requests, "Submit").flatMap(({ jobs }) => jobs)
  return database.commit(Effect.gen(function*() {
    tries++
    const transaction = new Transaction(database, by)
    if (submitted.length > 0) yield* lockSubmissions(database)
    yield* transaction.hold([
      ...reports.map(({ job }) => job),
      ...submitted.flatMap(({ id, needs }) => [id, ...needs])
    ])
    const answers = new Map<Request, Answer>()
    for (const report of reports) answers.set(report, applyReport(transaction, report))
    yield* transaction.flush()
    if (submitted.length > 0) noteFresh(yield* submit(transaction, database, submitted))

    const takes = new Set(ofKind([...putOff, ...requests], "Take"))
    const adopted = new Set<string>()
    for (const request of takes) {
      if (!request.wanted()) {
        answers.set(request, [])
        continue
      }
      // The last try may have been committed after all: then its leases are on record, and nobody has heard of them.
      const missed = tries === 1 ? [] : (yield* heldBy(database, request.session)).filter((lease) => !request.holds(lease) && !adopted.has(leaseKey(lease)))
      for (const lease of missed) adopted.add(leaseKey(lease))
      const looks = tries > 1 || !putOff.includes(request) || transaction.mayHave((job) => canDo(request.can, job))
      const leases = missed.length > 0 ? missed : looks ? yield* take(transaction, database, request) : []
      if (leases.length > 0) answers.set(request, leases)
    }
    const all = [...requests, ...putOff].map((request) => answers.get(request) ?? (request._tag === "Take" ? undefined : true))
    return { result: { answers: all, outputs: transaction.outputs }, news: transaction.news }
  })).pipe(Effect.orDie)
}
