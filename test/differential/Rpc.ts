/**
 * JSON-RPC to anvil over one WebSocket: a differential test makes some hundred thousand calls.
 */
import type { Hex } from "viem"

/** What the other end answers a call that fails; of a reverted call, with what it reverted. */
export class RpcError extends Error {
  readonly data: Hex | undefined

  constructor(method: string, error: { readonly message: string; readonly data?: unknown }) {
    super(`${method}: ${error.message}`)
    this.data = typeof error.data === "string" && error.data.startsWith("0x") ? error.data as Hex : undefined
  }
}

export interface Rpc {
  readonly call: <A>(method: string, ...params: ReadonlyArray<unknown>) => Promise<A>
  readonly close: () => void
}

/** Connects to a chain at its HTTP address. */
export const connect = async (url: string): Promise<Rpc> => {
  const socket = new WebSocket(url.replace(/^http/, "ws"))
  const waiting = new Map<number, { readonly method: string; readonly resolve: (value: never) => void; readonly reject: (error: Error) => void }>()
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve()
    socket.onerror = () => reject(new Error(`no WebSocket at ${url}`))
  })
  socket.onmessage = ({ data }) => {
    const { error, id, result } = JSON.parse(String(data))
    const waits = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) waits?.resolve(result as never)
    else waits?.reject(new RpcError(waits.method, error))
  }
  socket.onclose = () => {
    for (const { method, reject } of waiting.values()) reject(new Error(`${method}: the chain is gone`))
    waiting.clear()
  }
  let next = 0
  return {
    call: (method, ...params) =>
      new Promise((resolve, reject) => {
        const id = next++
        waiting.set(id, { method, resolve, reject })
        socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }))
      }),
    close: () => socket.close()
  }
}
