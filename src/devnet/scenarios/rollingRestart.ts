/** ND-3: every host of an operator is stopped in order and started again, one after the other. */
import { Clock, Duration, Effect } from "effect"
import { followHosts, onThreeHosts, seeFirstUpdate, seeNothingLostOrTwice } from "./hosts.ts"
import { eventually, mustHold, type Scenario } from "./Scenario.ts"

/** What a host may take to hand its roles over and to finish what it proves, or to give it back. */
const bound = Duration.seconds(30)

export const rollingRestart: Scenario = {
  name: "rolling-restart",
  within: Duration.minutes(6),
  configure: onThreeHosts,
  play: Effect.fnUntraced(function*(stage) {
    const { see } = stage
    const hosts = yield* followHosts(stage)
    const names = yield* seeFirstUpdate(stage, hosts)
    for (const name of names) {
      yield* Effect.scoped(see(`${name} is stopped while it proves, and ends well within ${Duration.format(bound)}`, Effect.gen(function*() {
        const job = yield* eventually(hosts.jobs.changes, ({ hosts }) => hosts.find((host) => host.name === name)?.running[0]?.job)
        const since = yield* Clock.currentTimeMillis
        const how = yield* Effect.flatMap(hosts.host(name), ({ takeDown }) => takeDown("SIGTERM"))
        const took = (yield* Clock.currentTimeMillis) - since
        yield* mustHold(how === "code 0", `it ended with ${how}`)
        yield* mustHold(took <= Duration.toMillis(bound), `it took ${took} ms`)
        return [undefined, { job, milliseconds: took }] as const
      })))
      yield* see(`${name} takes work again`, Effect.map(hosts.alive(names), (alive) => [undefined, { hosts: alive.join(" ") }] as const))
    }
    yield* seeNothingLostOrTwice(stage, hosts, new Set())
  })
}
