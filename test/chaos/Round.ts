/**
 * One round of chaos: trees of jobs are submitted while faults strike, all of them must be done in the end, and what is on record must be
 * what has happened.
 */
import { Effect, Fiber, Option } from "effect"
import { BlockRef } from "../../src/domain/Block.ts"
import { concatStatements, Statement } from "../../src/domain/Proof.ts"
import { type Address, toAddress } from "../../src/domain/Hash.ts"
import { type Attempt, type Job, JobId, type JobSpec } from "../../src/jobs/Jobs.ts"
import { blockJob, mergeJob, proofBytes } from "../../src/jobs/ProofJobs.ts"
import { DevnetLedgerConfig } from "../../src/ledger/DevnetLedgerConfig.ts"
import { sampleBlocks } from "../../src/ledger/SampleBlocks.ts"
import { modelBlockProof } from "../../src/simulation/ModelProofs.ts"
import type { Fault } from "./Faults.ts"
import type { World } from "./World.ts"

const { blocks } = sampleBlocks(new DevnetLedgerConfig({ seed: "chaos" }), [2, 1, 2, 1, 2, 1, 2, 1])

interface Node {
  readonly id: JobId
  readonly statement: Statement
}

/** The jobs of a prover who proves all of the blocks, and puts neighbours together up to one proof. */
const treeOf = Effect.fnUntraced(function*({ system }: World, prover: Address) {
  const jobs: Array<JobSpec> = []
  let level: Array<Node> = []
  for (const { witness } of blocks) {
    const job = yield* blockJob(system, witness, prover)
    jobs.push(job)
    level.push({ id: job.id, statement: modelBlockProof(new BlockRef({ number: witness.parent.number, hash: witness.parent.hash }), witness.block.header, prover).statement })
  }
  while (level.length > 1) {
    const above: Array<Node> = []
    for (let i = 0; i < level.length; i += 2) {
      const [left, right] = [level[i]!, level[i + 1]!]
      const statement = Option.getOrThrow(concatStatements(left.statement, right.statement))
      const job = yield* mergeJob(system, left.id, right.id, statement)
      jobs.push(job)
      above.push({ id: job.id, statement })
    }
    level = above
  }
  return { jobs, root: level[0]! }
})

export interface RoundOptions {
  readonly round: number
  readonly trees: number
  /** Milliseconds between two trees. */
  readonly every: number
  /** Milliseconds for everything to be done, after the last fault is mended. */
  readonly patience: number
}

export interface RoundReport {
  readonly round: number
  readonly faults: ReadonlyArray<string>
  readonly jobs: number
  /** How attempts ended. */
  readonly attempts: Readonly<Record<string, number>>
  /** Hosts that lost nothing by a fault, but may have because the machine was too slow. */
  readonly starved: ReadonlyArray<string>
  /** Proofs that were made once more than needed. */
  readonly again: number
  readonly seconds: number
  /** What must not be; empty, or something is badly wrong. */
  readonly violations: ReadonlyArray<string>
}

const shownAttempts = (attempts: ReadonlyArray<Attempt>) => attempts.map(({ host, outcome, reason }) => `${host} ${outcome}${reason === "" ? "" : ` (${reason})`}`).join(", ")

/** Hosts that a machine with too much to do gave no time for seconds, and that may have lost leases for that. */
const starvedIn = ({ hosts, said }: World, faults: ReadonlyArray<Fault>): ReadonlyArray<string> =>
  said.databaseSlow && !faults.some(({ ofDatabase }) => ofDatabase) ? hosts.map(({ name }) => name) : [...said.stoodStill]

/** Hosts whose leases may have ended otherwise than by a report. */
const excusedBy = (world: World, faults: ReadonlyArray<Fault>) => new Set([...faults.flatMap(({ excuses }) => excuses), ...starvedIn(world, faults)])

/** What is wrong with one job's record; `undefined` if nothing is. */
const wrongWith = ({ attempts, id, kind, state }: Job, world: World, faults: ReadonlyArray<Fault>): string | undefined => {
  const excused = excusedBy(world, faults)
  const { said } = world
  const broken = new Set(faults.flatMap(({ breaks }) => breaks))
  const ended = (outcome: Attempt["outcome"]) => attempts.filter((attempt) => attempt.outcome === outcome)
  if (state !== "done") return `it is ${state}`
  if (attempts.some(({ number }, i) => number !== i + 1)) return "an attempt is missing"
  if (attempts.some(({ endedAt }) => endedAt === null)) return "an attempt has not ended"
  if (attempts.some(({ startedAt }, i) => i > 0 && startedAt < attempts[i - 1]!.endedAt!)) return "two leases overlap"
  if (ended("done").length > 1) return "it was done twice"
  // A valid output counts however late: then it is that of a lease that was lost, or given back.
  if (ended("done").length === 0 && ended("lost").length + ended("returned").length === 0) return "nobody did it"
  for (const { host } of [...ended("lost"), ...ended("returned")]) if (!excused.has(host)) return `${host} lost it, to which nothing had happened`
  for (const { host } of ended("failed")) if (!broken.has(host)) return `${host} failed at it, whose disk was not full`
  if (ended("cancelled").length > 0 && ended("lost").length === 0) return "it was cancelled, and nobody had lost it"
  if (kind !== "block") return undefined
  const [begun, finished] = [said.begun.get(id) ?? 0, said.finished.get(id) ?? 0]
  if (begun > attempts.length) return `it was begun ${begun} times`
  if (finished === 0) return "no proof of it was made"
  if (attempts.length === 1 && finished !== 1) return `it was proven ${finished} times`
  return undefined
}

/** A prover for each tree: 20 bytes that no other has. */
const proverOf = (round: number, tree: number) => toAddress(`0x${(round * 1_000 + tree + 1).toString(16).padStart(40, "0")}`)

const verify = Effect.fnUntraced(function*({ jobs, system }: World, { id, statement }: Node) {
  const outcome = yield* Effect.orDie(jobs.outcome(id))
  if (outcome._tag !== "Done") return [`${id} is ${outcome._tag}: ${outcome.reason}`]
  const proof = yield* proofBytes.decode(outcome.output)
  yield* system.verify(proof)
  return proof.statement.leaves.length === statement.leaves.length ? [] : [`${id} proves ${proof.statement.leaves.length} blocks`]
}, Effect.catch(({ message }) => Effect.succeed([message])))

export const playRound = Effect.fnUntraced(function*(world: World, faults: ReadonlyArray<Fault>, { every, patience, round, trees }: RoundOptions) {
  yield* world.allThere
  const start = performance.now()
  const striking = yield* Effect.forkChild(Effect.forEach(faults, ({ at, strike }) => Effect.delay(strike, at), { concurrency: "unbounded", discard: true }), {
    startImmediately: true
  })
  const submitted = new Set<string>()
  const roots: Array<Node> = []
  for (let tree = 0; tree < trees; tree++) {
    const { jobs, root } = yield* treeOf(world, proverOf(round, tree))
    yield* world.jobs.submit(jobs)
    for (const { id } of jobs) submitted.add(id)
    roots.push(root)
    yield* Effect.sleep(every)
  }
  yield* Fiber.join(striking)
  const wrong = yield* Effect.forEach(roots, (root) => verify(world, root), { concurrency: "unbounded" }).pipe(
    Effect.map((all) => all.flat()),
    Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.succeed([`not everything is done ${patience / 1_000} s after the last fault`]) })
  )
  const everything = yield* world.jobs.list({ states: ["blocked", "ready", "running", "done", "cancelled", "quarantined"], most: 1_000_000 })
  const jobs = everything.filter(({ id }) => submitted.has(id))
  const attempts = jobs.flatMap((job) => job.attempts)
  const outcomes: Record<string, number> = {}
  for (const { outcome } of attempts) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  const violations = [
    ...wrong,
    ...(jobs.length === submitted.size ? [] : [`${submitted.size - jobs.length} jobs are lost`]),
    ...jobs.flatMap((job) => {
      const what = wrongWith(job, world, faults)
      return what === undefined ? [] : [`${job.id}: ${what}; ${shownAttempts(job.attempts)}`]
    })
  ]
  return {
    round,
    faults: faults.map(({ what }) => what),
    jobs: jobs.length,
    attempts: outcomes,
    starved: starvedIn(world, faults).filter((host) => !faults.some(({ excuses }) => excuses.includes(host))),
    again: jobs.reduce((sum, { id }) => sum + Math.max(0, (world.said.finished.get(id) ?? 0) - 1), 0),
    seconds: (performance.now() - start) / 1_000,
    violations
  } satisfies RoundReport
})
