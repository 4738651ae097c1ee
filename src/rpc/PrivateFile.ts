/**
 * Files that only their owner may read: keys and shared secrets.
 */
import { Effect, FileSystem, Redacted, Schema } from "effect"

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(3, "0")

/** A file with something secret in it cannot be used. Nothing was changed; the message says what to do about it. */
export class PrivateFileUnusable extends Schema.TaggedError<PrivateFileUnusable>()("PrivateFileUnusable", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `cannot use ${this.path}: ${this.reason}`
  }
}

/** The text of a file, without blanks around it; refused while anybody but its owner may read or write it. */
export const readPrivateFile = Effect.fnUntraced(function*(
  path: string
): Effect.fn.Return<Redacted.Redacted<string>, PrivateFileUnusable, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const unusable = (reason: string) => new PrivateFileUnusable({ path, reason })
  const { mode } = yield* Effect.mapError(fs.stat(path), () => unusable("there is no such file, or this user may not look at it"))
  if ((mode & 0o077) !== 0) return yield* unusable(`others may read or write it (mode ${octal(mode)}): run \`chmod 600 ${path}\``)
  const text = yield* Effect.mapError(fs.readFileString(path), () => unusable("this user may not read it"))
  return Redacted.make(text.trim())
})

/** Writes such a file, whole or not at all. */
export const writePrivateFile = Effect.fnUntraced(function*(
  path: string,
  text: Redacted.Redacted<string>
): Effect.fn.Return<void, PrivateFileUnusable, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const temporary = `${path}.tmp`
  yield* fs.remove(temporary, { force: true }).pipe(
    Effect.andThen(fs.writeFileString(temporary, `${Redacted.value(text)}\n`, { mode: 0o600, flag: "wx" })),
    Effect.andThen(fs.rename(temporary, path)),
    Effect.mapError(({ message }) => new PrivateFileUnusable({ path, reason: `it cannot be written (${message})` }))
  )
})
