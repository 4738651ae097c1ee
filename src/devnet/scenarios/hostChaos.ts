/** ND-1, ND-3, ND-4: everything that can happen to the hosts of one operator happens, one after the other. */
import { Context, Duration, Effect } from "effect"
import { L1 } from "../../l1/L1.ts"
import { seededRandom } from "../../ledger/SeededRandom.ts"
import { followHosts, onThreeHosts, seeFirstUpdate, seeNothingLostOrTwice } from "./hosts.ts"
import { eventually, isA, OutcomeContradicted, type Scenario } from "./Scenario.ts"

/** Longer than the locks and leases of a host last: when it goes on, others have its roles and its jobs. */
const frozenFor = Duration.seconds(12)

/** How long the database is away. */
const awayFor = Duration.seconds(3)

export const hostChaos: Scenario = {
  name: "host-chaos",
  within: Duration.minutes(10),
  configure: onThreeHosts,
  play: Effect.fnUntraced(function*(stage) {
    const { devnet, onL1, see } = stage
    const { postgres } = devnet
    if (postgres === undefined) return yield* new OutcomeContradicted({ reason: "the database is not this process's to crash: leave --postgres away" })
    const random = seededRandom("host-chaos", devnet.config.ledger.seed)
    const hosts = yield* followHosts(stage)
    const names = yield* seeFirstUpdate(stage, hosts)
    const prover = eventually(hosts.jobs.changes, ({ hosts }) => hosts.find(({ running }) => running.length > 0)?.name)
    const settler = Effect.map(eventually(hosts.holder("settler"), (found) => found), ({ host }) => host)
    const struck = new Set<string>()
    const strike = (name: string) => {
      struck.add(name)
      return hosts.host(name)
    }

    const strikes = [
      ["the host of the settler freezes, and goes on when others have its roles", Effect.gen(function*() {
        const name = yield* settler
        const pid = yield* Effect.flatMap(strike(name), ({ pid }) => pid)
        yield* Effect.acquireUseRelease(
          Effect.sync(() => process.kill(pid, "SIGSTOP")),
          () => Effect.sleep(frozenFor),
          () => Effect.ignore(Effect.try({ try: () => process.kill(pid, "SIGCONT"), catch: String }))
        )
        return name
      })],
      ["a host is killed while it proves", Effect.gen(function*() {
        const name = yield* prover
        yield* Effect.scoped(Effect.flatMap(strike(name), ({ takeDown }) => takeDown("SIGKILL")))
        return name
      })],
      ["a host is stopped while it proves", Effect.gen(function*() {
        const name = yield* prover
        yield* Effect.scoped(Effect.flatMap(hosts.host(name), ({ takeDown }) => takeDown("SIGTERM")))
        return name
      })],
      ["the database crashes and comes back", Effect.gen(function*() {
        yield* postgres.crash
        yield* Effect.andThen(Effect.sleep(awayFor), postgres.startAgain)
        return "Postgres"
      })]
    ] as const
    const first = random.integer(strikes.length)
    for (const [step, happen] of [...strikes.slice(first), ...strikes.slice(0, first)]) {
      const { number: l1Block } = yield* Context.get(devnet.rollup, L1).latest
      yield* see(`${step}; an update comes after`, Effect.gen(function*() {
        const whom = yield* happen
        yield* hosts.alive(names)
        const update = yield* onL1((events) => events.filter(isA("StateUpdated")).find(({ at }) => at.block > l1Block))
        return [undefined, { whom, update: update.at.transaction }] as const
      }))
    }
    yield* seeNothingLostOrTwice(stage, hosts, struck)
  })
}
