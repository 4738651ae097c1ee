/**
 * One turn of the group commit: reports, then submissions, then leases, in one transaction. A job that becomes ready by a report can
 * be leased in the same one.
 */
import { Effect } from "effect"
import type { Database } from "../store/Database.ts"
import { heldBy, leaseKey, type Take, take } from "./Claims.ts"
import type { JobSpec, Lease } from "./Jobs.ts"
import { applyReport, type Report } from "./Reports.ts"
import { lockSubmissions, submit } from "./Submissions.ts"
import { Transaction } from "./Transaction.ts"

export interface Submit {
  readonly _tag: "Submit"
  readonly jobs: ReadonlyArray<JobSpec>
}

export type Request = Submit | Report | (Take & { readonly holds: (lease: Lease) => boolean })

/** To a report: whether it counted. To a take: the leases. */
export type Answer = boolean | ReadonlyArray<Lease>

/** Bytes that go along with a request. */
export const weigh = (request: Request): number => {
  if (request._tag === "Submit") return request.jobs.reduce((sum, { input }) => sum + input.length, 0)
  return request._tag === "Report" && request.end._tag === "Done" ? request.end.output.length : 0
}

const ofKind = <Tag extends Request["_tag"]>(requests: ReadonlyArray<Request>, tag: Tag) =>
  requests.filter((request): request is Extract<Request, { _tag: Tag }> => request._tag === tag)

/** Does all of a turn, and answers each request. */
export const turn = (database: Database["Service"], requests: ReadonlyArray<Request>): Effect.Effect<ReadonlyArray<Answer>> => {
  let tries = 0
  const reports = ofKind(requests, "Report")
  const submitted = ofKind(requests, "Submit").flatMap(({ jobs }) => jobs)
  return database.commit(Effect.gen(function*() {
    tries++
    const transaction = new Transaction(database)
    if (submitted.length > 0) yield* lockSubmissions(database)
    yield* transaction.hold([
      ...reports.map(({ job }) => job),
      ...submitted.flatMap(({ id, needs }) => [id, ...needs])
    ])
    const answers = new Map<Request, Answer>()
    for (const report of reports) answers.set(report, applyReport(transaction, report))
    yield* transaction.flush()
    if (submitted.length > 0) yield* submit(transaction, database, submitted)

    const adopted = new Set<string>()
    for (const request of ofKind(requests, "Take")) {
      // The last try may have been committed after all: then its leases are on record, and nobody has heard of them.
      const missed = tries === 1 ? [] : (yield* heldBy(database, request.session)).filter((lease) => !request.holds(lease) && !adopted.has(leaseKey(lease)))
      for (const lease of missed) adopted.add(leaseKey(lease))
      answers.set(request, missed.length > 0 ? missed : yield* take(transaction, database, request))
    }
    return { result: requests.map((request) => answers.get(request) ?? true), news: transaction.news }
  })).pipe(Effect.orDie)
}
