/**
 * A node's name on the network: an Ed25519 key in its data folder, so that peers know it again after a restart.
 */
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys"
import type { PrivateKey } from "@libp2p/interface"
import { Effect, Runtime, Schema } from "effect"
import { chmod, link, readFile, rm, stat, writeFile } from "node:fs/promises"

/** A key file cannot be used. The message says what to do about it. */
export class IdentityUnusable extends Schema.TaggedError<IdentityUnusable>()("IdentityUnusable", {
  file: Schema.String,
  reason: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2

  override get message() {
    return `cannot use the key of the node's peer id in ${this.file}: ${this.reason}`
  }
}

const codeOf = (cause: unknown): string | undefined =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : undefined

/** A key that is forgotten with the process. */
export const ephemeralIdentity: Effect.Effect<PrivateKey> = Effect.promise(() => generateKeyPair("Ed25519"))

/** A key as bytes, and back: for an operator whose hosts are one peer. */
export const identityBytes = (key: PrivateKey): Uint8Array => privateKeyToProtobuf(key)
export const identityFrom = (bytes: Uint8Array): PrivateKey => privateKeyFromProtobuf(bytes)

/** The key in a file that only its owner may read; made at first. Two processes that make it at once get the same. */
export const loadIdentity = (file: string): Effect.Effect<PrivateKey, IdentityUnusable> =>
  Effect.tryPromise({
    try: async () => {
      const temporary = `${file}.${process.pid}.new`
      try {
        return await read(file)
      } catch (cause) {
        if (codeOf(cause) !== "ENOENT") throw cause
      }
      await writeFile(temporary, privateKeyToProtobuf(await generateKeyPair("Ed25519")), { mode: 0o600, flush: true })
      await chmod(temporary, 0o600)
      try {
        // Unlike renaming, it does not replace a file that another process made meanwhile.
        await link(temporary, file)
      } catch (cause) {
        if (codeOf(cause) !== "EEXIST") throw cause
      } finally {
        await rm(temporary, { force: true })
      }
      return await read(file)
    },
    catch: (cause) => {
      const reason = codeOf(cause) === "ENOENT"
        ? "its folder does not exist; create the folder or name another file"
        : cause instanceof Error ? cause.message : String(cause)
      return new IdentityUnusable({ file, reason })
    }
  })

const read = async (file: string): Promise<PrivateKey> => {
  const bytes = await readFile(file)
  if (((await stat(file)).mode & 0o077) !== 0) throw new Error("others may read it; run chmod 600 on it if it can still be trusted, else remove it")
  try {
    return privateKeyFromProtobuf(bytes)
  } catch {
    throw new Error("it is not a key; remove it, and the node gets a new peer id")
  }
}
