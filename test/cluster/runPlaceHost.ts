/** A host with the role of `hosts.ts`, as a process: its database and its name are the arguments. It says when it runs. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Redacted } from "effect"
import { placeHost, quietly } from "./hosts.ts"

const [url, name] = process.argv.slice(2)

NodeRuntime.runMain(
  Effect.andThen(placeHost(Redacted.make(url!), name!), Effect.andThen(Effect.sync(() => process.stdout.write("runs\n")), Effect.never)).pipe(
    Effect.scoped,
    Effect.provide(quietly)
  )
)
