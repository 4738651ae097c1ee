/**
 * Runs the command line that this process was started with.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Layer, Runtime } from "effect"
import { CliError, CliOutput, Command } from "effect/cli"
import packageJson from "../../package.json" with { type: "json" }
import { lignum } from "./lignum.ts"

/**
 * 0 for an end that was asked for, Ctrl-C and help included; 2 where a person can mend what is wrong; 1 where lignum is to
 * blame: a defect, or an error that says so itself.
 */
const exitCode = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return 0
  if (Cause.hasDies(exit.cause)) return 1
  const error = Cause.squash(exit.cause)
  if (error instanceof CliError.ShowHelp) return error.errors.length === 0 ? 0 : 2
  return typeof error === "object" && error !== null && Runtime.errorExitCode in error ? Number(error[Runtime.errorExitCode]) : 2
}

const teardown: Runtime.Teardown = (exit, onExit) => onExit(exitCode(exit))

/** Wrong use is answered with the sentence that says what is wrong, not with a page of help. */
const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(
        `lignum: ${event.errors.map(({ message }) => message.replace(/\s*\n\s*/g, " ").trim()).join("; ")}\nSee \`lignum ${[...event.commandPath.slice(1), "--help"].join(" ")}\`.`
      )
      : CliOutput.defaultPresenter.present(event)
})

const reportFailure = (cause: Cause.Cause<unknown>) => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const error = Cause.squash(cause)
  if (error instanceof CliError.ShowHelp) return Effect.void
  return Cause.hasDies(cause)
    ? Console.error(`lignum met an error of its own; please report it:\n${Cause.pretty(cause)}`)
    : Console.error(`lignum: ${error instanceof Error ? error.message : String(error)}`)
}

Command.run(await lignum(process.argv.slice(2)), { version: packageJson.version }).pipe(
  Effect.tapCause(reportFailure),
  Effect.provide(Layer.merge(NodeServices.layer, Layer.provide(presenter, NodeServices.layer))),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
