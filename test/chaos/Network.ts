/**
 * The network between hosts and their database, to be broken at will. Where the machine allows it, each host has a network namespace of
 * its own, with a cable that can be pulled out; everywhere, a proxy in this process stands between it and the database.
 */
import { Effect, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** A host's way to the database. */
export interface Line {
  /** Where the host finds the database. */
  readonly host: string
  readonly port: number
  /** Where the host listens for others. */
  readonly at: string
  /** What is put before the command that starts it. */
  readonly prefix: ReadonlyArray<string>
  /** Breaks all connections. */
  readonly cut: Effect.Effect<void>
  /** Nothing passes any more, and no end is told of it. */
  readonly silence: Effect.Effect<void>
  readonly heal: Effect.Effect<void>
}

export interface Network {
  /** How hosts are kept apart, for people. */
  readonly kind: "network namespaces" | "loopback"
  readonly line: (index: number) => Effect.Effect<Line, never, Scope.Scope>
}

const openProxy = Effect.fnUntraced(function*(host: string, databasePort: number) {
  const pairs = new Set<readonly [Socket, Socket]>()
  let silent = false
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ host: "127.0.0.1", port: databasePort, allowHalfOpen: true })
    const pair = [near, far] as const
    pairs.add(pair)
    for (const [one, other] of [pair, [far, near] as const]) {
      one.on("error", () => other.destroy()).on("close", () => {
        pairs.delete(pair)
        other.destroy()
      })
      one.pipe(other)
      if (silent) one.pause().unpipe()
    }
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, host, () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.close()
        for (const pair of pairs) for (const socket of pair) socket.destroy()
      })
  )
  const each = (act: (one: Socket, other: Socket) => void) =>
    Effect.sync(() => {
      for (const [near, far] of pairs) {
        act(near, far)
        act(far, near)
      }
    })
  return {
    port: (server.address() as AddressInfo).port,
    cut: each((one) => one.resetAndDestroy()),
    silence: Effect.andThen(Effect.sync(() => (silent = true)), each((one) => one.pause().unpipe())),
    heal: Effect.andThen(Effect.sync(() => (silent = false)), each((one, other) => one.pipe(other)))
  }
})

const ip = (...args: ReadonlyArray<string>) => execFileSync("ip", args, { stdio: "pipe" })

const tryIp = (...args: ReadonlyArray<string>): boolean => {
  try {
    ip(...args)
    return true
  } catch {
    return false
  }
}

/** A bridge that the cables of all namespaces end at, with this process's end of the network; nothing where the machine refuses. */
const openBridge = Effect.gen(function*() {
  const bridge = `lignum${process.pid % 100_000}`
  const subnet = `10.231.${process.pid % 256}`
  if (!tryIp("link", "add", bridge, "type", "bridge")) return undefined
  yield* Effect.addFinalizer(() => Effect.sync(() => tryIp("link", "del", bridge)))
  if (!tryIp("addr", "add", `${subnet}.254/24`, "dev", bridge) || !tryIp("link", "set", bridge, "up")) return undefined
  const namespace = `${bridge}-probe`
  if (!tryIp("netns", "add", namespace)) return undefined
  tryIp("netns", "del", namespace)
  return { bridge, subnet }
})

const plugIn = Effect.fnUntraced(function*({ bridge, subnet }: { readonly bridge: string; readonly subnet: string }, index: number) {
  const namespace = `${bridge}-${index}`
  const [here, there] = [`lv${process.pid % 100_000}h${index}`, `lv${process.pid % 100_000}n${index}`]
  const at = `${subnet}.${index + 1}`
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      ip("netns", "add", namespace)
      ip("link", "add", here, "type", "veth", "peer", "name", there)
      ip("link", "set", there, "netns", namespace)
      ip("link", "set", here, "master", bridge, "up")
      ip("-n", namespace, "addr", "add", `${at}/24`, "dev", there)
      ip("-n", namespace, "link", "set", there, "up")
      ip("-n", namespace, "link", "set", "lo", "up")
    }),
    () => Effect.sync(() => (tryIp("link", "del", here), tryIp("netns", "del", namespace)))
  )
  return {
    at,
    prefix: ["ip", "netns", "exec", namespace],
    silence: Effect.sync(() => void tryIp("link", "set", here, "down")),
    heal: Effect.sync(() => void tryIp("link", "set", here, "up"))
  }
})

/** Opened until the scope closes. */
export const openNetwork = Effect.fnUntraced(function*(databasePort: number): Effect.fn.Return<Network, never, Scope.Scope> {
  const bridge = yield* openBridge
  if (bridge === undefined) {
    return {
      kind: "loopback",
      line: Effect.fnUntraced(function*() {
        return { ...(yield* openProxy("127.0.0.1", databasePort)), host: "127.0.0.1", at: "127.0.0.1", prefix: [] }
      })
    }
  }
  const here = `${bridge.subnet}.254`
  return {
    kind: "network namespaces",
    line: Effect.fnUntraced(function*(index) {
      const { cut, port } = yield* openProxy(here, databasePort)
      return { cut, port, host: here, ...(yield* plugIn(bridge, index)) }
    })
  }
})
