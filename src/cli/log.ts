/**
 * How commands write their log: a line per message, without a stack.
 */
import { Effect, Logger, type LogLevel, References, Schema } from "effect"

/** One message as a JSON line. */
export const LogLine = Schema.Struct({
  /** ISO 8601. */
  time: Schema.String,
  level: Schema.Literals(["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]),
  message: Schema.String
})
export type LogLine = typeof LogLine.Type

const lineOf = ({ date, logLevel, message }: Logger.Options<unknown>): LogLine => ({
  time: date.toISOString(),
  level: logLevel.toUpperCase() as LogLine["level"],
  message: (Array.isArray(message) ? message : [message]).map(String).join(" ")
})

/** A message for people: the time of day, its level unless it is plain news, and what it says. */
export const plainLine = ({ level, message, time }: LogLine): string => `${time.slice(11, 19)} ${level === "INFO" ? "" : `${level} `}${message}`

/** Runs a program with its log going to `write`. */
export const withLog = (minimum: LogLevel.LogLevel, write: (line: LogLine) => void) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(
    Effect.provide(Logger.layer([Logger.make((options) => write(lineOf(options)))])),
    Effect.provideService(References.MinimumLogLevel, minimum)
  )

export const toStderr = (line: string) => {
  process.stderr.write(`${line}\n`)
}
