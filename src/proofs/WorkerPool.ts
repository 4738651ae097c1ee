/**
 * Worker threads that run one job each and can be killed in the middle of it.
 *
 * A thread that computes inside WebAssembly hears no message and no interruption: the only way to stop it is to terminate it.
 * So an interrupted job costs its worker, and the pool starts another one in its place.
 */
import { Deferred, Effect, Queue, Schema, type Scope } from "effect"
import { Worker } from "node:worker_threads"

/** What a worker's script posts: `Ready` once, then for each job any number of `Progress` and one `Done` or `Refused`. */
export type FromWorker<Reply> =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Progress"; readonly fraction: number; readonly stage: string }
  | { readonly _tag: "Done"; readonly reply: Reply; readonly memory: number }
  | { readonly _tag: "Refused"; readonly reason: string; readonly memory: number }

/** The worker died, or none could be started. The job itself may be fine: try again. */
export class WorkerLost extends Schema.TaggedError<WorkerLost>()("WorkerLost", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** The worker looked at the job and will not do it, this time or any other. */
export class JobRefused extends Schema.TaggedError<JobRefused>()("JobRefused", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

export interface PoolOptions {
  /** Names the workers in logs. */
  readonly name: string
  /** How many jobs run at once. */
  readonly size: number
  /** The module that workers run. */
  readonly script: URL
  /** What they get as `workerData`; typed arrays over shared memory are not copied. */
  readonly workerData: object
  /** Bytes (heap and buffers) above which a worker is replaced when its job is done. */
  readonly memoryLimit: number
}

/** Hears a job's progress. */
export type OnJobProgress = (fraction: number, stage: string) => Effect.Effect<void>

export interface WorkerPool<Request, Reply> {
  readonly size: number
  /**
   * Runs a job as soon as a worker is free, first come, first served. Interrupting it while it waits takes it out of the
   * queue; interrupting it while it runs kills its worker at once.
   */
  readonly run: (request: Request, onProgress?: OnJobProgress) => Effect.Effect<Reply, WorkerLost | JobRefused>
}

type Event<Reply> = Exclude<FromWorker<Reply>, { _tag: "Ready" }> | { readonly _tag: "Lost"; readonly reason: string }

interface Job<Request, Reply> {
  readonly request: Request
  readonly events: Queue.Queue<Event<Reply>>
  abandoned: boolean
  onAbandoned: () => void
}

/** A running thread. `handle` hears everything from `Ready` on, and finally why the thread ended. */
interface Thread<Reply> {
  readonly worker: Worker
  lost: string | undefined
  handle: (event: FromWorker<Reply> | { readonly _tag: "Lost"; readonly reason: string }) => void
}

/** Longest wait between two attempts to start a worker, in milliseconds. */
const longestPause = 30_000

/**
 * Starts the pool and waits until every worker is ready.
 *
 * @throws WorkerLost when a worker cannot start.
 */
export const make = <Request, Reply>(options: PoolOptions): Effect.Effect<WorkerPool<Request, Reply>, WorkerLost, Scope.Scope> =>
  Effect.gen(function*() {
    const waiting = yield* Queue.unbounded<Job<Request, Reply>>()
    let closed = false
    let alive = 0

    const fail = (job: Job<Request, Reply>, reason: string) => Queue.offerUnsafe(job.events, { _tag: "Lost", reason })
    const failWaiting = (reason: string) => {
      for (let job = takeNow(waiting); job !== undefined; job = takeNow(waiting)) fail(job, reason)
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => {
      closed = true
      failWaiting("the pool was closed")
    }))

    /** Runs one job; whether the worker can take another one. */
    const perform = (thread: Thread<Reply>, job: Job<Request, Reply>) =>
      Effect.callback<boolean>((resume) => {
        if (job.abandoned) return resume(Effect.succeed(true))
        job.onAbandoned = () => resume(Effect.succeed(false))
        thread.handle = (event) => {
          if (event._tag === "Ready") return
          Queue.offerUnsafe(job.events, event)
          if (event._tag === "Lost") resume(Effect.succeed(false))
          else if (event._tag !== "Progress") resume(Effect.succeed(event.memory <= options.memoryLimit))
        }
        thread.worker.postMessage(job.request)
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => fail(job, "the pool was closed"))))

    const slot = (index: number, started: Deferred.Deferred<void, WorkerLost>) => {
      // Taken from the queue, but its worker had died while idle: the next one runs it.
      let held: Job<Request, Reply> | undefined
      let failures = 0

      /** One worker's life, until it must be replaced. */
      const life = Effect.gen(function*() {
        const thread = yield* startThread<Reply>(options, index)
        failures = 0
        yield* Effect.acquireRelease(Effect.sync(() => alive++), () => Effect.sync(() => alive--))
        yield* Deferred.succeed(started, undefined)
        for (let healthy = true; healthy;) {
          const job: Job<Request, Reply> = held ?? (yield* Queue.take(waiting))
          held = job
          if (thread.lost !== undefined) return
          held = undefined
          healthy = yield* perform(thread, job)
        }
      }).pipe(Effect.scoped)

      const failHeld = (reason: string) => {
        if (held !== undefined) fail(held, reason)
        held = undefined
      }

      const pause = (lost: WorkerLost) =>
        Effect.gen(function*() {
          yield* Deferred.fail(started, lost)
          failures++
          failHeld(lost.reason)
          // Whoever waits is told rather than kept: nobody else would run the job.
          if (alive === 0) failWaiting(lost.reason)
          yield* Effect.logWarning(`${options.name} worker ${index} does not start: ${lost.reason}`)
          yield* Effect.sleep(Math.min(longestPause, 250 * 2 ** failures))
        })

      return life.pipe(
        Effect.catch(pause),
        Effect.forever,
        Effect.onInterrupt(() => Effect.sync(() => failHeld("the pool was closed")))
      )
    }

    const starts: Array<Deferred.Deferred<void, WorkerLost>> = []
    for (let index = 0; index < options.size; index++) {
      const started = yield* Deferred.make<void, WorkerLost>()
      starts.push(started)
      yield* Effect.forkScoped(slot(index, started))
    }
    yield* Effect.forEach(starts, (started) => Deferred.await(started), { discard: true })

    const receive = (job: Job<Request, Reply>, onProgress: OnJobProgress | undefined) =>
      Effect.gen(function*() {
        while (true) {
          const event = yield* Queue.take(job.events)
          switch (event._tag) {
            case "Progress":
              if (onProgress !== undefined) yield* onProgress(event.fraction, event.stage)
              break
            case "Done":
              return event.reply
            case "Refused":
              return yield* new JobRefused({ reason: event.reason })
            case "Lost":
              return yield* new WorkerLost({ reason: event.reason })
          }
        }
      })

    return {
      size: options.size,
      run: (request, onProgress) =>
        Effect.gen(function*() {
          const events = yield* Queue.unbounded<Event<Reply>>()
          const job: Job<Request, Reply> = { request, events, abandoned: false, onAbandoned: () => {} }
          if (closed) return yield* new WorkerLost({ reason: "the pool is closed" })
          Queue.offerUnsafe(waiting, job)
          return yield* receive(job, onProgress).pipe(Effect.onInterrupt(() => Effect.sync(() => {
            job.abandoned = true
            job.onAbandoned()
          })))
        })
    }
  })

const takeNow = <A>(queue: Queue.Queue<A>): A | undefined => {
  const exit = Queue.takeUnsafe(queue)
  return exit?._tag === "Success" ? exit.value : undefined
}

/** A thread that has said it is ready; terminated with the scope. */
const startThread = <Reply>(options: PoolOptions, index: number): Effect.Effect<Thread<Reply>, WorkerLost, Scope.Scope> =>
  Effect.gen(function*() {
    const thread = yield* Effect.acquireRelease(
      Effect.sync((): Thread<Reply> => ({
        worker: new Worker(options.script, {
          workerData: options.workerData,
          name: `${options.name}-${index}`,
          resourceLimits: { maxOldGenerationSizeMb: Math.ceil(options.memoryLimit / 2 ** 20) }
        }),
        lost: undefined,
        handle: () => {}
      })),
      ({ worker }) => Effect.promise(() => worker.terminate())
    )
    const lose = (reason: string) => {
      thread.lost ??= reason
      thread.handle({ _tag: "Lost", reason: thread.lost })
    }
    yield* Effect.callback<void, WorkerLost>((resume) => {
      thread.handle = (event) => {
        if (event._tag === "Ready") resume(Effect.void)
        else if (event._tag === "Lost") resume(Effect.fail(new WorkerLost({ reason: event.reason })))
      }
      thread.worker.on("message", (event: FromWorker<Reply>) => thread.handle(event))
      thread.worker.on("messageerror", (error) => lose(`the worker's message could not be read: ${error.message}`))
      thread.worker.on("error", (error) => lose(`the worker crashed: ${error instanceof Error ? error.message : String(error)}`))
      thread.worker.on("exit", (code) => lose(`the worker exited with code ${code}`))
    })
    return thread
  })
