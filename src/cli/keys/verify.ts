/**
 * `lignum keys verify`: whether a folder of keys is whole and belongs to the circuits beside it.
 */
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { verifyKeys } from "../../proofs/CircuitKeys.ts"
import { devnetKeysDirectory, encodeManifest } from "../../proofs/CircuitManifest.ts"
import { keyProgress } from "./progress.ts"

export const keysVerify = Command.make(
  "verify",
  {
    directory: Flag.String("directory").pipe(
      Flag.withDescription("Folder of the keys; the devnet's if not given"),
      Flag.withDefault(devnetKeysDirectory)
    ),
    ptau: Flag.String("ptau").pipe(
      Flag.withDescription("The powers of tau that the keys were built from: verifies the whole setup as well, which takes minutes"),
      Flag.optional
    ),
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print one JSON object as the last line"), Flag.withDefault(false))
  },
  Effect.fn(function*({ directory, json, ptau }) {
    const report = yield* verifyKeys(directory, {
      onProgress: keyProgress(json),
      ...(Option.isSome(ptau) ? { ptau: ptau.value } : {})
    })
    if (json) return yield* Console.log(JSON.stringify({ ...report, manifest: JSON.parse(encodeManifest(report.manifest)) }))
    yield* Console.log(`the keys in ${directory} are whole and belong to the circuits${Option.isSome(ptau) ? ", and their setup holds" : ""}`)
  })
).pipe(Command.withDescription("Check keys against their manifest, the circuits and, with --ptau, the whole setup"))
