/** A worker that does whatever a pool must survive. */
import { parentPort, threadId, workerData } from "node:worker_threads"

export type PoolRequest =
  | { readonly do: "answer" | "crash" | "exit" | "refuse" | "exhaust" | "fillHeap" | "dieIdle" }
  | { readonly do: "spin"; readonly started: SharedArrayBuffer }
  | { readonly do: "answerLater"; readonly milliseconds: number; readonly log: SharedArrayBuffer; readonly entry: number }

const port = parentPort!
const post = (message: unknown) => port.postMessage(message)
const done = (memory = 0) => post({ _tag: "Done", reply: threadId, memory })

if ((workerData as { readonly broken?: boolean }).broken) throw new Error("broken on purpose")

port.on("message", (request: PoolRequest) => {
  switch (request.do) {
    case "answer":
      post({ _tag: "Progress", fraction: 0.5, stage: "half" })
      return done()
    case "answerLater": {
      // Entry 0 counts, the rest lists jobs in the order in which they were started.
      const log = new Int32Array(request.log)
      log[Atomics.add(log, 0, 1) + 1] = request.entry
      setTimeout(done, request.milliseconds)
      return
    }
    case "crash":
      throw new Error("crashed on purpose")
    case "exit":
      return process.exit(3)
    case "refuse":
      return post({ _tag: "Refused", reason: "not this one", memory: 0 })
    case "exhaust":
      return done(Number.MAX_SAFE_INTEGER)
    case "fillHeap": {
      const kept: Array<Array<number>> = []
      for (;;) kept.push(Array.from({ length: 10_000 }, (_, i) => i + kept.length))
    }
    case "dieIdle":
      done()
      setTimeout(() => process.exit(0), 20)
      return
    case "spin":
      Atomics.store(new Int32Array(request.started), 0, 1)
      for (;;);
  }
})
post({ _tag: "Ready" })
