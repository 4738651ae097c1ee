/**
 * What durable jobs promise, on whichever database: F1 to F10 are the faults that others' job brokers were found to have.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Option, Queue, type Scope, Stream } from "effect"
import { type Capabilities, type Host, JobId, Jobs, JobSpec, type JobUnknown, LeaseTerms, OutputCheck, OutputInvalid, type Terms } from "../../src/jobs/Jobs.ts"
import * as SqlJobs from "../../src/jobs/SqlJobs.ts"
import type { Database } from "../../src/store/Database.ts"

export const bytesOf = (text: string) => new TextEncoder().encode(text)
export const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

export const can: Capabilities = { proofSystems: ["model"], sizes: ["small", "big"], slots: 64, cores: 4, memory: 4_096 }

export const spec = (id: string, more: Partial<ConstructorParameters<typeof JobSpec>[0]> = {}) =>
  new JobSpec({
    id: JobId.make(id),
    kind: "test",
    subject: `the job ${id}`,
    size: "small",
    requires: { proofSystem: "model", cores: 1, memory: 16 },
    priority: 0,
    needs: [],
    input: bytesOf(`input of ${id}`),
    ...more
  })

export const ids = (...names: ReadonlyArray<string>) => names.map((name) => JobId.make(name))

/** Whatever begins with "output" is valid. */
export const outputCheck = Layer.succeed(
  OutputCheck,
  OutputCheck.of((job, output) => textOf(output).startsWith("output") ? Effect.void : Effect.fail(new OutputInvalid({ job: job.id, reason: "it is no output" })))
)

/** Jobs of a process of their own on a database. */
export const openJobs = (database: Layer.Layer<Database, unknown>, terms?: Terms): Effect.Effect<Jobs["Service"], never, Scope.Scope> =>
  Layer.build(Layer.fresh(SqlJobs.layer.pipe(Layer.provide(outputCheck), Layer.provide(database), Layer.orDie))).pipe(
    Effect.map((built) => Context.get(built, Jobs)),
    terms === undefined ? (open) => open : Effect.provideService(LeaseTerms, { sqlite: terms, postgres: terms })
  )

/** A database that outlives those who use it. */
export type Place = Effect.Effect<{
  /** Another process's way to it. */
  readonly open: () => Layer.Layer<Database, unknown>
  /** Closes it and opens it again; former ways to it lead nowhere. */
  readonly restart: Effect.Effect<void>
}, never, Scope.Scope>

interface World {
  /** Jobs as another process has them. */
  readonly process: (terms?: Terms) => Effect.Effect<Jobs["Service"], never, Scope.Scope>
  readonly restart: Effect.Effect<void>
}

/** No timer of these fires while a test runs. */
const patient = { heartbeat: 3_600_000, expiry: 10_800_000 }
/** These fire often. */
export const brisk = { heartbeat: 100, expiry: 500 }

const job = Effect.fnUntraced(function*(jobs: Jobs["Service"], id: string) {
  return Option.getOrThrow(yield* jobs.get(JobId.make(id)))
})

/** Jobs of which each needs the one before the last, so that two can run at once. */
export const chain = (count: number) => Array.from({ length: count }, (_, at) => spec(`job-${at}`, { needs: at < 2 ? [] : ids(`job-${at - 2}`) }))

/** How a job stands, and how its attempts ended. */
const standing = Effect.fnUntraced(function*(jobs: Jobs["Service"], id: string) {
  const { attempts, state } = yield* job(jobs, id)
  return [state, ...attempts.map(({ outcome }) => outcome)]
})

const takeOne = Effect.fnUntraced(function*(host: Host) {
  const leases = yield* host.take(1)
  assert.strictEqual(leases.length, 1)
  return leases[0]!
})

/** What a host hears about its leases from now on. */
const hearRevocations = Effect.fnUntraced(function*(host: Host) {
  const heard = yield* Queue.unbounded<readonly [job: string, attempt: number, why: string]>()
  yield* host.revoked.pipe(
    Stream.runForEach(({ attempt, job, why }) => Queue.offer(heard, [job, attempt, why])),
    Effect.forkScoped({ startImmediately: true })
  )
  return Queue.take(heard)
})

/** Does whatever comes, one job after the other, and tells in which order. */
const workThrough = Effect.fnUntraced(function*(host: Host, count: number) {
  const order: Array<string> = []
  while (order.length < count) {
    const lease = yield* takeOne(host)
    order.push(lease.job)
    yield* host.done(lease, bytesOf(`output of ${lease.job}`))
  }
  return order
})

const output = bytesOf("output")

export const conformance = (name: string, place: Place) => {
  const test = (title: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(title, () => Effect.flatMap(place, ({ open, restart }) => body({ process: (terms = patient) => openJobs(open(), terms), restart })).pipe(Effect.scoped))

  describe(`${name}: faults that others have`, () => {
    test("F1: every end of a lease counts, that with its host, too; a job that takes hosts down is quarantined", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        yield* jobs.submit([spec("one")])
        for (let time = 1; time <= 25; time++) {
          const lease = yield* takeOne(yield* jobs.host({ name: "a", can }))
          assert.strictEqual(lease.attempt, time)
        }
        yield* jobs.host({ name: "a", can })
        assert.deepStrictEqual(yield* jobs.outcome(JobId.make("one")), { _tag: "Quarantined", attempts: 25, reason: "it was lost too often" })
        assert.deepStrictEqual(yield* standing(jobs, "one"), ["quarantined", ...Array.from({ length: 25 }, () => "lost")])
        assert.strictEqual(textOf(yield* jobs.input(JobId.make("one"))), "input of one", "it can be replayed")
      }))

    test("F2: a report under a lease that ended changes nothing for who holds the next, but a valid output counts", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        yield* jobs.submit([spec("one")])
        const former = yield* jobs.host({ name: "a", can })
        const stale = yield* takeOne(former)
        yield* jobs.host({ name: "a", can: { ...can, sizes: [] } })
        const holder = yield* jobs.host({ name: "b", can })
        const heard = yield* hearRevocations(holder)
        const lease = yield* takeOne(holder)
        assert.deepStrictEqual([stale.attempt, lease.attempt], [1, 2])
        assert.isFalse(yield* former.failed(stale, "a late word", true))
        assert.isFalse(yield* former.failed(stale, "a late word", false))
        yield* former.giveBack([stale])
        assert.isFalse(yield* former.failed({ ...stale, attempt: 2 }, "not its own", true))
        assert.deepStrictEqual(yield* standing(jobs, "one"), ["running", "lost", "running"])
        assert.isTrue(yield* former.done(stale, output))
        assert.deepStrictEqual(yield* jobs.outcome(JobId.make("one")), { _tag: "Done", output })
        assert.deepStrictEqual(yield* heard, ["one", 2, "done by another"])
        assert.isFalse(yield* holder.done(lease, bytesOf("output of the second")))
        assert.isFalse(yield* holder.failed(lease, "too late", true))
        assert.deepStrictEqual(yield* standing(jobs, "one"), ["done", "lost", "cancelled"])
        assert.deepStrictEqual(yield* jobs.output(JobId.make("one")), Option.some(output))
      }))

    test("F3: attempts are remembered by whoever opens the database next", ({ process, restart }) =>
      Effect.gen(function*() {
        yield* Effect.scoped(Effect.gen(function*() {
          const jobs = yield* process()
          yield* jobs.submit([spec("one"), spec("two")])
          const host = yield* jobs.host({ name: "a", can })
          yield* host.failed(yield* takeOne(host), "no luck", true)
          yield* host.failed(yield* takeOne(host), "no luck", false)
        }))
        yield* restart
        const jobs = yield* process()
        assert.deepStrictEqual(yield* standing(jobs, "one"), ["quarantined", "failed", "failed"])
        assert.deepStrictEqual(yield* jobs.outcome(JobId.make("one")), { _tag: "Quarantined", attempts: 2, reason: "no luck" })
        const host = yield* jobs.host({ name: "a", can })
        assert.strictEqual((yield* takeOne(host)).job, "two")
        assert.deepStrictEqual((yield* job(jobs, "one")).attempts.map(({ number, reason }) => [number, reason]), [[1, "no luck"], [2, "no luck"]])
      }))

    test("F4: an output is looked at whoever it is from: an invalid one is refused, a valid one taken", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        yield* jobs.submit([spec("one"), spec("two")])
        const stranger = yield* jobs.host({ name: "stranger", can })
        const never = { job: JobId.make("one"), attempt: 1 }
        assert.strictEqual((yield* Effect.flip(stranger.done(never, bytesOf("rubbish")))).reason, "it is no output")
        assert.deepStrictEqual(yield* standing(jobs, "one"), ["ready"])
        assert.isTrue(yield* stranger.done(never, output))
        assert.deepStrictEqual(yield* standing(jobs, "one"), ["done"])
        assert.isFalse(yield* stranger.done({ job: JobId.make("none"), attempt: 1 }, output))

        const holder = yield* jobs.host({ name: "holder", can })
        yield* Effect.flip(holder.done(yield* takeOne(holder), bytesOf("rubbish")))
        const { attempts, state } = yield* job(jobs, "two")
        assert.deepStrictEqual([state, attempts.length, attempts[0]!.outcome], ["ready", 1, "failed"])
        assert.include(attempts[0]!.reason, "it is no output")
      }))

    test("F5: a worker that shows its session goes on with what it held, and its result counts", ({ process, restart }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        yield* jobs.submit([spec("need"), spec("one", { needs: ids("need") })])
        const host = yield* jobs.host({ name: "a", can })
        yield* host.done(yield* takeOne(host), output)
        const lease = yield* takeOne(host)
        yield* restart
        const later = yield* process()
        const again = yield* later.host({ name: "a", can, session: host.session })
        assert.strictEqual(again.session, host.session)
        assert.deepStrictEqual(again.held, [lease])
        assert.deepStrictEqual(yield* standing(later, "one"), ["running", "running"])
        assert.isTrue(yield* again.done(lease, output))
        assert.deepStrictEqual(yield* standing(later, "one"), ["done", "done"])
      }))

    test("F6: work is pushed: what becomes ready is taken though no timer fires", ({ process }) =>
      Effect.gen(function*() {
        const submitter = yield* process()
        const host = yield* (yield* process()).host({ name: "a", can })
        const work = yield* Effect.forkChild(workThrough(host, 3), { startImmediately: true })
        yield* submitter.submit([spec("one")])
        yield* submitter.outcome(JobId.make("one"))
        yield* submitter.submit([spec("two"), spec("three", { needs: ids("two") })])
        assert.strictEqual((yield* submitter.outcome(JobId.make("three")))._tag, "Done")
        assert.deepStrictEqual(yield* Fiber.join(work), ["one", "two", "three"])
      }))

    test("F7: a holder that is silent loses its lease, and another does the job", ({ process }) =>
      Effect.gen(function*() {
        const silent = yield* (yield* process({ ...brisk, heartbeat: patient.heartbeat })).host({ name: "silent", can })
        const jobs = yield* process(brisk)
        yield* jobs.submit([spec("one")])
        const lost = yield* takeOne(silent)
        const host = yield* jobs.host({ name: "lively", can })
        const lease = yield* takeOne(host)
        assert.deepStrictEqual([lost.attempt, lease.attempt], [1, 2])
        assert.deepStrictEqual(yield* standing(jobs, "one"), ["running", "lost", "running"])
        yield* host.done(lease, output)
        const view = yield* Stream.runHead(jobs.changes)
        assert.deepStrictEqual(Option.getOrThrow(view).hosts.map(({ name }) => name), ["lively"])
      }))

    test("F8: a job that no live host can do says what is missing", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        const requires = spec("any").requires
        const reasons = Effect.fnUntraced(function*() {
          const { unroutable } = Option.getOrThrow(yield* Stream.runHead(jobs.changes))
          for (const { job: id, missing } of unroutable) assert.strictEqual((yield* job(jobs, id)).reason, missing)
          return unroutable.map(({ job, missing }) => [job, missing] as const)
        })
        yield* jobs.submit([
          spec("any"),
          spec("other", { requires: { ...requires, proofSystem: "another" } }),
          spec("big", { size: "big" }),
          spec("wide", { requires: { ...requires, cores: 8 } }),
          spec("large", { requires: { ...requires, memory: 8_192 } })
        ])
        assert.deepStrictEqual(new Map(yield* reasons()).get(JobId.make("any")), "no host is there to do it")
        const host = yield* jobs.host({ name: "a", can: { ...can, sizes: ["small"] } })
        const expected = {
          other: "no host has the proof system another",
          big: "no host with model takes big jobs",
          wide: "it needs 8 cores, and the largest host has 4",
          large: "it needs 8192 MiB of memory, and the largest host has 4096"
        }
        assert.deepStrictEqual(Object.fromEntries(yield* reasons()), expected)
        assert.deepStrictEqual((yield* host.take(9)).map(({ job }) => job), ids("any"), "and it takes what it can do")
        yield* host.drain
        assert.deepStrictEqual(Object.values(Object.fromEntries(yield* reasons())), Array.from({ length: 4 }, () => "no host is there to do it"))
      }))

    test("F9: to cancel is not to fail: who works on it stops, and the same job may be wanted again", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        const host = yield* (yield* process()).host({ name: "a", can })
        const heard = yield* hearRevocations(host)
        yield* jobs.submit([spec("one"), spec("two", { needs: ids("one") }), spec("three", { needs: ids("two") }), spec("apart")])
        const waiting = yield* Effect.forkChild(jobs.outcome(JobId.make("three")), { startImmediately: true })
        for (let time = 1; time <= 30; time++) {
          const lease = yield* takeOne(host)
          assert.deepStrictEqual([lease.job, lease.attempt], [JobId.make("one"), time])
          yield* jobs.cancel(ids("one"), "the block was reverted")
          assert.deepStrictEqual(yield* heard, ["one", time, "cancelled"])
          if (time === 1) assert.deepStrictEqual(yield* Fiber.join(waiting), { _tag: "Cancelled", reason: "the block was reverted" })
          yield* jobs.submit([spec("one", { priority: 1 }), spec("two", { needs: ids("one") })])
        }
        const lease = yield* takeOne(host)
        yield* host.done(lease, output)
        assert.deepStrictEqual(yield* Effect.forEach(ids("two", "three", "apart"), (id) => Effect.map(job(jobs, id), ({ state }) => state)), ["ready", "cancelled", "ready"])
        yield* jobs.submit([spec("one"), spec("one")])
        assert.strictEqual((yield* standing(jobs, "one"))[0], "done", "the same content is the same job")
      }))

    test("F10: a valid output is accepted however late it comes", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        yield* jobs.submit([spec("lost"), spec("cancelled"), spec("quarantined")])
        const host = yield* jobs.host({ name: "a", can })
        const leases = yield* host.take(3)
        yield* jobs.cancel(ids("cancelled"), "nobody needs it")
        yield* host.failed(leases[2]!, "it cannot succeed", false)
        const next = yield* jobs.host({ name: "a", can })
        for (const lease of leases) {
          assert.isTrue(yield* host.done(lease, output))
          assert.strictEqual((yield* standing(jobs, lease.job))[0], "done")
          assert.strictEqual((yield* jobs.outcome(lease.job))._tag, "Done")
        }
        yield* jobs.submit([spec("other")])
        assert.strictEqual((yield* takeOne(next)).job, "other", "nobody does it again")
      }))
  })

  describe(`${name}: what jobs promise`, () => {
    test("a job is taken when all that it needs is done, with their outputs in its order", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        const host = yield* jobs.host({ name: "a", can })
        yield* jobs.submit([
          spec("top"),
          spec("left", { needs: ids("top") }),
          spec("right", { needs: ids("top") }),
          spec("bottom", { needs: ids("right", "left", "right") })
        ])
        assert.strictEqual((yield* job(jobs, "bottom")).reason, "it waits for left (blocked), right (blocked)")
        assert.deepStrictEqual(yield* workThrough(host, 1), ["top"])
        const [left, right] = yield* host.take(9)
        // In one moment, so that both reports may be in one transaction.
        yield* Effect.forEach([left!, right!], (lease) => host.done(lease, bytesOf(`output of ${lease.job}`)), { concurrency: "unbounded" })
        const bottom = yield* takeOne(host)
        assert.deepStrictEqual(bottom.needed.map(textOf), ["output of right", "output of left", "output of right"])
      }))

    test("two hosts that finish what one job needs at once do not both leave it waiting", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        const hosts = [yield* jobs.host({ name: "a", can }), yield* (yield* process()).host({ name: "b", can })]
        for (let time = 0; time < 20; time++) {
          yield* jobs.submit([spec(`left ${time}`), spec(`right ${time}`)])
          const leases = yield* Effect.forEach(hosts, takeOne)
          const needing = jobs.submit([spec(`both ${time}`, { needs: ids(`left ${time}`, `right ${time}`) })])
          yield* Effect.all([...hosts.map((host, at) => host.done(leases[at]!, output)), needing], { concurrency: "unbounded" })
          assert.deepStrictEqual(yield* workThrough(hosts[0]!, 1), [`both ${time}`])
        }
      }))

    test("the most urgent comes first, and among equals what was submitted first", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        yield* jobs.submit([spec("a"), spec("b", { priority: 5 }), spec("c"), spec("d", { priority: -1 }), spec("e", { priority: 5 })])
        yield* jobs.submit([spec("c", { priority: 7 }), spec("b", { priority: 1 })])
        assert.deepStrictEqual(yield* workThrough(yield* jobs.host({ name: "a", can }), 5), ["c", "b", "e", "a", "d"])
      }))

    test("ND-4: failures count where others succeed, though these be forgotten; while nothing does, many are forgiven, but not without end", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        const host = yield* jobs.host({ name: "a", can })
        const fail = Effect.fnUntraced(function*(times: number) {
          for (let time = 0; time < times; time++) {
            yield* Effect.sleep(2)
            yield* host.failed(yield* takeOne(host), "no luck", true)
          }
        })
        const succeed = Effect.fnUntraced(function*(id: string) {
          yield* Effect.sleep(2)
          yield* jobs.submit([spec(id, { priority: 1 })])
          yield* workThrough(host, 1)
          yield* Effect.sleep(2)
        })
        yield* succeed("before")
        yield* jobs.submit([spec("one")])
        yield* fail(10)
        assert.strictEqual((yield* standing(jobs, "one"))[0], "ready", "the prover was broken")
        yield* succeed("between")
        yield* jobs.forget(ids("before", "between"))
        yield* fail(4)
        assert.strictEqual((yield* standing(jobs, "one"))[0], "ready")
        yield* fail(1)
        assert.deepStrictEqual(yield* jobs.outcome(JobId.make("one")), { _tag: "Quarantined", attempts: 15, reason: "it failed too often" })
        yield* jobs.submit([spec("one")])
        assert.strictEqual((yield* standing(jobs, "one"))[0], "quarantined", "being wanted does not help it out")

        yield* jobs.submit([spec("two")])
        yield* fail(25)
        assert.deepStrictEqual(yield* jobs.outcome(JobId.make("two")), { _tag: "Quarantined", attempts: 25, reason: "it failed too often" })
      }))

    test("an operator's retry forgives what was, and only that", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        const host = yield* jobs.host({ name: "a", can })
        yield* jobs.submit([spec("one"), spec("two", { needs: ids("one") })])
        yield* host.failed(yield* takeOne(host), "it cannot succeed", false)
        assert.strictEqual((yield* job(jobs, "two")).reason, "it waits for one (quarantined)")
        yield* jobs.retry(JobId.make("one"))
        assert.deepStrictEqual(yield* workThrough(host, 2), ["one", "two"])
        assert.deepStrictEqual(yield* standing(jobs, "one"), ["done", "failed", "done"])
        yield* jobs.retry(JobId.make("one"))
        assert.deepStrictEqual(yield* standing(jobs, "one"), ["done", "failed", "done"])
        for (const unknown of [jobs.retry, jobs.outcome, jobs.input]) assert.strictEqual((yield* Effect.flip(unknown(JobId.make("none")) as Effect.Effect<unknown, JobUnknown>)).job, "none")
      }))

    test("a host that gives back, drains, or goes leaves its jobs to others at once", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        yield* jobs.submit([spec("one"), spec("two"), spec("three")])
        const other = yield* jobs.host({ name: "b", can })
        yield* Effect.scoped(Effect.gen(function*() {
          const host = yield* jobs.host({ name: "a", can })
          const leases = yield* host.take(2)
          yield* host.giveBack(leases.slice(0, 1))
          yield* host.drain
          const more = yield* Effect.forkChild(host.take(1), { startImmediately: true })
          assert.strictEqual((yield* takeOne(other)).job, "one")
          yield* Fiber.interrupt(more)
          assert.deepStrictEqual(yield* standing(jobs, "two"), ["running", "running"], "what it holds it may finish")
        }))
        assert.deepStrictEqual(yield* standing(jobs, "two"), ["ready", "returned"])
        assert.deepStrictEqual((yield* other.take(9)).map(({ job }) => job), ids("two", "three"))
      }))

    test("who stops waiting for work leaves none behind", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        const host = yield* jobs.host({ name: "a", can })
        for (let time = 0; time < 20; time++) {
          const taking = yield* Effect.forkChild(host.take(1), { startImmediately: true })
          yield* Effect.all([jobs.submit([spec(`job ${time}`)]), Fiber.interrupt(taking)], { concurrency: "unbounded" })
        }
        assert.strictEqual((yield* Effect.timeout(workThrough(host, 20), 60_000)).length, 20)
      }))

    test("what is forgotten is gone with its bytes, but not what others still need", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        const host = yield* jobs.host({ name: "a", can })
        const input = bytesOf("the same for all")
        yield* jobs.submit([spec("one", { input }), spec("two", { input, needs: ids("one") }), spec("three", { input })])
        yield* workThrough(host, 1)
        yield* jobs.forget(ids("one", "two"))
        assert.strictEqual((yield* standing(jobs, "one"))[0], "done", "two needs it")
        yield* workThrough(host, 2)
        yield* jobs.forget(ids("one", "two"))
        assert.isTrue(Option.isNone(yield* jobs.get(JobId.make("one"))))
        assert.isTrue(Option.isNone(yield* jobs.output(JobId.make("two"))))
        assert.deepStrictEqual(yield* jobs.input(JobId.make("three")), input, "another has the same bytes")
        yield* jobs.submit([spec("one", { input: new Uint8Array() })])
        assert.deepStrictEqual((yield* takeOne(host)).spec.input, new Uint8Array(), "the same job may come anew, and with nothing in it")
        assert.deepStrictEqual((yield* jobs.list({ states: ["running", "done"], most: 9 })).map(({ id }) => id), ids("one", "three"))
      }))

    test("ND-3: no job is held twice at once and none is lost, whatever hosts do", ({ process }) =>
      Effect.gen(function*() {
        const count = 300
        const jobs = yield* process()
        const held = new Map<string, number>()
        let [ended, most] = [0, 0]
        const finished = yield* Deferred.make<void>()
        const work = Effect.fnUntraced(function*(host: Host, seed: number) {
          let draw = seed
          while (true) {
            for (const lease of yield* host.take(1 + seed % 7)) {
              held.set(lease.job, (held.get(lease.job) ?? 0) + 1)
              most = Math.max(most, held.get(lease.job)!)
              draw = (draw * 1_103_515_245 + 12_345) % 2_147_483_648
              yield* Effect.yieldNow
              held.set(lease.job, held.get(lease.job)! - 1)
              if (draw % 5 === 0) yield* host.giveBack([lease])
              else if (yield* host.done(lease, output)) ended++
              if (ended === count) yield* Deferred.succeed(finished, undefined)
            }
          }
        })
        for (let n = 1; n <= 4; n++) {
          const host = yield* (yield* process()).host({ name: `host ${n}`, can })
          yield* Effect.forkScoped(work(host, n))
          yield* Effect.forkScoped(work(host, n + 10))
        }
        for (let from = 0; from < count; from += 10) {
          yield* jobs.submit(Array.from({ length: 10 }, (_, at) => spec(`job ${from + at}`, { needs: from === 0 ? [] : ids(`job ${from + at - 10}`) })))
        }
        yield* Deferred.await(finished)
        assert.deepStrictEqual([ended, most], [count, 1])
        const all = yield* jobs.list({ states: ["done"], most: 999 })
        assert.strictEqual(all.length, count)
        for (const { attempts } of all) assert.strictEqual(attempts.filter(({ outcome }) => outcome === "done").length, 1)
      }))
  })
}
