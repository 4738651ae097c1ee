/**
 * Virtual time: runs a program as a discrete-event simulation. While any fiber can go on, time stands still; when none can, it jumps
 * to the earliest sleep. Days take as long as what happens in them.
 *
 * Clock, scheduler and randomness are all the program's own, and one thread runs them. So the same program with the same seed does
 * the same, event for event, however fast or busy the machine is. The price: it must not wait for the world outside. Promises,
 * sockets and worker threads have no place in virtual time; SQLite does, for `node:sqlite` answers at once.
 */
import { Clock, Duration, Effect, Exit, Random, Scheduler, Schema } from "effect"
import { BinaryHeap } from "../domain/BinaryHeap.ts"

/** Nothing can go on and nothing sleeps: the program waits for the world outside, or for itself. Give it a model of what it waits for. */
export class VirtualDeadlock extends Schema.TaggedError<VirtualDeadlock>()("VirtualDeadlock", { at: Schema.Finite }) {
  override get message() {
    return `nothing can happen any more at virtual time ${this.at} ms: the program waits for something outside of virtual time, or for itself`
  }
}

/** What can run now: a queue for each priority, the lowest first, each in order. */
class RunQueue {
  readonly #queues = new Map<number, { tasks: Array<() => void>; next: number }>()
  #priorities: Array<number> = []

  add(task: () => void, priority: number): void {
    const queue = this.#queues.get(priority)
    if (queue !== undefined) {
      queue.tasks.push(task)
      return
    }
    this.#queues.set(priority, { tasks: [task], next: 0 })
    this.#priorities = [...this.#queues.keys()].sort((a, b) => a - b)
  }

  take(): (() => void) | undefined {
    for (const priority of this.#priorities) {
      const queue = this.#queues.get(priority)!
      if (queue.next < queue.tasks.length) return queue.tasks[queue.next++]
      if (queue.next > 0) {
        queue.tasks = []
        queue.next = 0
      }
    }
    return undefined
  }
}

/** A sleep, in a heap by time and, at equal times, by the order in which they began. */
interface Sleep {
  readonly at: number
  readonly order: number
  readonly wake: () => void
  over: boolean
}

const isBefore = (a: Sleep, b: Sleep) => a.at < b.at || (a.at === b.at && a.order < b.order)

/** Takes the earliest sleep that is not over. */
const takeEarliest = (sleeps: BinaryHeap<Sleep>): Sleep | undefined => {
  let sleep = sleeps.pop()
  while (sleep?.over === true) sleep = sleeps.pop()
  return sleep
}

/** Tasks between two turns of the machine's own event loop, which must see to its own now and then. */
const tasksPerTurn = 20_000

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export interface VirtualTimeOptions {
  /** What all randomness is drawn from. */
  readonly seed: string
  /** Virtual time at the start, in milliseconds since 1970. */
  readonly start?: number
}

/**
 * Runs a program in virtual time to its end.
 *
 * It ends with {@link VirtualDeadlock} as a defect where nothing can go on any more.
 */
export const runVirtual = async <A, E>(program: Effect.Effect<A, E>, { seed, start = 0 }: VirtualTimeOptions): Promise<Exit.Exit<A, E>> => {
  const ready = new RunQueue()
  const sleeps = new BinaryHeap<Sleep>(isBefore)
  let now = start
  let order = 0

  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => now,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanosUnsafe: () => BigInt(Math.round(now * 1e6)),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(now * 1e6))),
    monotonicTimeNanosUnsafe: () => BigInt(Math.round(now * 1e6)),
    monotonicTimeNanos: Effect.sync(() => BigInt(Math.round(now * 1e6))),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        const sleep: Sleep = { at: now + Duration.toMillis(duration), order: order++, wake: () => resume(Effect.void), over: false }
        if (Number.isFinite(sleep.at)) sleeps.push(sleep)
        return Effect.sync(() => {
          sleep.over = true
        })
      })
  }
  const scheduler: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: (fiber) => fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield,
    makeDispatcher: () => ({
      scheduleTask: (task, priority) => ready.add(task, priority),
      // Only whoever runs a program synchronously asks for this.
      flush: () => {
        for (let task = ready.take(); task !== undefined; task = ready.take()) task()
      }
    })
  }

  const fiber = Effect.runFork(
    program.pipe(Effect.provideService(Clock.Clock, clock), Random.withSeed(seed)),
    { scheduler }
  )
  let exit: Exit.Exit<A, E> | undefined
  fiber.addObserver((ended) => {
    exit = ended
  })
  for (let count = 1; exit === undefined; count++) {
    if (count % tasksPerTurn === 0) await turn()
    const task = ready.take()
    if (task !== undefined) {
      task()
      continue
    }
    const sleep = takeEarliest(sleeps)
    if (sleep === undefined) {
      fiber.interruptUnsafe()
      for (let rest = ready.take(); rest !== undefined; rest = ready.take()) rest()
      return Exit.die(new VirtualDeadlock({ at: now }))
    }
    now = sleep.at
    sleep.over = true
    sleep.wake()
  }
  return exit
}

/** Waits until everybody else has done all that can be done at this moment, those included whose sleep ends now. */
export const quiet: Effect.Effect<void> = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  // Whoever is woken now may begin a sleep that ends now: such chains are short.
  for (let round = 0; round < 3; round++) {
    yield* clock.sleep(Duration.zero)
    yield* Effect.yieldNowWith(lastOfAll)
  }
})

/** Behind the priorities that anybody else asks for. */
const lastOfAll = 1_000_000
