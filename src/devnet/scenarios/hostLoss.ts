/** ND-3, ND-4: hosts of one operator are killed in the middle of their work. */
import { Context, Duration, Effect } from "effect"
import { L1 } from "../../l1/L1.ts"
import { seededRandom } from "../../ledger/SeededRandom.ts"
import { followHosts, onThreeHosts, seeFirstUpdate, seeNothingLostOrTwice } from "./hosts.ts"
import { eventually, isA, mustHold, type Scenario } from "./Scenario.ts"

/** A proof that is further than this may be done before its host is dead. */
const stillEarly = 0.5

export const hostLoss: Scenario = {
  name: "host-loss",
  within: Duration.minutes(6),
  configure: onThreeHosts,
  play: Effect.fnUntraced(function*(stage) {
    const { devnet, onL1, see } = stage
    const random = seededRandom("host-loss", devnet.config.ledger.seed)
    const hosts = yield* followHosts(stage)
    const names = yield* seeFirstUpdate(stage, hosts)

    const killed = yield* Effect.scoped(Effect.gen(function*() {
      const killed = yield* see("the host that proves a block and the host of the settler are killed", Effect.gen(function*() {
        const settler = yield* eventually(hosts.holder("settler"), (found) => found)
        const { job, victim } = yield* eventually(hosts.jobs.changes, ({ hosts }) => {
          const busy = hosts.flatMap(({ name, running }) => running.filter(({ fraction }) => fraction < stillEarly).map(({ job }) => ({ job, victim: name })))
          return busy[random.integer(Math.max(busy.length, 1))]
        })
        const victims = [...new Set([victim, settler.host])]
        yield* Effect.forEach(victims, (name) => Effect.flatMap(hosts.host(name), ({ takeDown }) => takeDown("SIGKILL")), { concurrency: "unbounded" })
        const { number: l1Block } = yield* Context.get(devnet.rollup, L1).latest
        return [{ job, victim, victims, epoch: settler.epoch, l1Block }, { prover: victim, job, settler: settler.host, epoch: settler.epoch }] as const
      }))

      yield* see("its job is done by another host", Effect.gen(function*() {
        const { attempts } = yield* eventually(hosts.history, (seen) => {
          const job = seen.get(killed.job)
          return job?.state === "done" ? job : undefined
        })
        const done = attempts.find(({ outcome }) => outcome === "done")!
        yield* mustHold(attempts.some(({ host, outcome }) => host === killed.victim && outcome === "lost"), `the attempt of ${killed.victim} is not on record as lost`)
        yield* mustHold(done.host !== killed.victim, `${done.host} did it, which is dead`)
        return [undefined, { host: done.host, attempt: done.number }] as const
      }))
      return killed
    }))

    yield* see("the hosts that were killed take work again", Effect.map(hosts.alive(names), (alive) => [undefined, { hosts: alive.join(" ") }] as const))
    yield* see("the settler is another than the one that was killed, and brings an update", Effect.gen(function*() {
      const { epoch, host } = yield* eventually(hosts.holder("settler"), (found) => (found !== undefined && found.epoch > killed.epoch ? found : undefined))
      const update = yield* onL1((events) => events.filter(isA("StateUpdated")).find(({ at }) => at.block > killed.l1Block))
      return [undefined, { host, epoch, update: update.at.transaction }] as const
    }))
    yield* seeNothingLostOrTwice(stage, hosts, new Set(killed.victims))
  })
}
