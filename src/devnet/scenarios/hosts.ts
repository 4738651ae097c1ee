/**
 * What the scenarios of one operator on several hosts have in common: three hosts, what is known of their jobs, and what must hold
 * whatever happened to them.
 */
import { Context, Duration, Effect, Stream } from "effect"
import { createPublicClient, getAddress, http } from "viem"
import type { Credited, L1Event } from "../../l1/Events.ts"
import { L1 } from "../../l1/L1.ts"
import { type Attempt, type AttemptOutcome, type Job, type JobId, type JobState, JobState as States } from "../../jobs/Jobs.ts"
import { RewardAuditor } from "../../roles/RewardAuditor.ts"
import { TreePlanner } from "../../roles/TreePlanner.ts"
import { defaultPolicy, type DevnetConfig } from "../DevnetConfig.ts"
import type { HostProcess } from "../OperatorProcess.ts"
import { onL1Step } from "../Registration.ts"
import { eventually, isA, mustHold, OutcomeContradicted, paced, scenarioParameters, type Stage } from "./Scenario.ts"

/** One operator on three hosts, each of which proves one block at a time. */
export const onThreeHosts = (config: DevnetConfig): DevnetConfig => ({
  ...config,
  parameters: scenarioParameters({}),
  ledger: paced(config, Duration.seconds(8)),
  blocksPerUpdate: 2,
  operators: [defaultPolicy],
  hosts: 3,
  workers: 1
})

/** The operator's hosts, and all that was seen of its jobs. */
export const followHosts = Effect.fnUntraced(function*({ devnet }: Stage) {
  const operator = devnet.operators[0]!
  const { shared } = operator
  if (shared === undefined) return yield* new OutcomeContradicted({ reason: "the operator has one host" })
  const { holder, jobs } = shared
  const seen = new Map<JobId, Job>()
  const look = Effect.map(jobs.list({ states: States.literals, most: 1_000 }), (all) => {
    for (const job of all) seen.set(job.id, job)
  })
  const everSeen = Effect.as(look, seen as ReadonlyMap<JobId, Job>)
  // Jobs behind the tip are forgotten: what is seen of them is kept here.
  yield* Effect.forkScoped(Stream.runForEach(jobs.changes, () => look))
  return {
    operator,
    jobs,
    holder,
    host: (name: string): Effect.Effect<HostProcess, OutcomeContradicted> => {
      const found = operator.hosts.find((host) => host.name.endsWith(name))
      return found === undefined ? Effect.fail(new OutcomeContradicted({ reason: `there is no host ${name}` })) : Effect.succeed(found)
    },
    /** Every job that was ever seen, as it was last. */
    everSeen,
    /** The same after every change. */
    history: Stream.mapEffect(jobs.changes, () => everSeen),
    /** Waits until all of these hosts are seen to take work. */
    alive: (names: ReadonlyArray<string>) =>
      eventually(jobs.changes, ({ hosts }) =>
        names.every((name) => hosts.some((host) => host.name === name && !host.draining)) ? hosts.map(({ name }) => name) : undefined)
  }
})

export type FollowedHosts = Effect.Success<ReturnType<typeof followHosts>>

/** All hosts are there before anything happens to one. Answers their names. */
export const seeFirstUpdate = ({ onL1, see }: Stage, { alive }: FollowedHosts) =>
  see("three hosts take work, and the first update comes", Effect.gen(function*() {
    const names = yield* alive(["host-1", "host-2", "host-3"])
    const update = yield* onL1((events) => events.find(isA("StateUpdated")))
    return [names, { hosts: names.join(" "), update: update.at.transaction }] as const
  }))

/** Everything that an account sent, as L1 executed it. */
const executedFrom = ({ devnet: { deployment, url } }: Stage, account: string) =>
  onL1Step("reading what the operator sent", async () => {
    const client = createPublicClient({ transport: http(url) })
    const latest = await client.getBlockNumber()
    const sent = []
    for (let number = BigInt(deployment.block); number <= latest; number++) {
      const { transactions } = await client.getBlock({ blockNumber: number, includeTransactions: true })
      for (const { from, hash, nonce, to } of transactions) {
        if (getAddress(from) !== getAddress(account)) continue
        const { status } = await client.getTransactionReceipt({ hash })
        sent.push({ hash, nonce, to, status })
      }
    }
    return sent
  })

const key = ({ account, block, kind }: Credited): string => `${kind} of block ${block} to ${account}`

const repeated = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> => all.filter((one, i) => all.indexOf(one) !== i)

const wantedStates: ReadonlyArray<JobState> = ["done", "cancelled"]

const attemptsOf = (jobs: Iterable<Job>, outcome: AttemptOutcome): ReadonlyArray<Attempt & { readonly job: JobId }> =>
  [...jobs].flatMap(({ attempts, id }) => attempts.filter((attempt) => attempt.outcome === outcome).map((attempt) => ({ ...attempt, job: id })))

/** What must hold whatever happened to the hosts of the operator. */
export const seeNothingLostOrTwice = Effect.fnUntraced(function*(
  stage: Stage,
  { everSeen, history: jobHistory, operator: { account, node } }: FollowedHosts,
  /** Hosts that died, whose attempts may have been lost. */
  died: ReadonlySet<string>
) {
  const { devnet, onL1, see } = stage
  const { number: l1Block } = yield* Context.get(devnet.rollup, L1).latest
  // Checkpoints come all the time: soon there is an event in a later block, and all that were before it are known.
  const history = yield* onL1((events): ReadonlyArray<L1Event> | undefined => (events.some(({ at }) => at.block > l1Block) ? events : undefined))
  yield* see("every L1 transaction of the operator came once", Effect.gen(function*() {
    const sent = yield* executedFrom(stage, account)
    const updates = history.filter(isA("StateUpdated"))
    const toUpdate = sent.filter(({ to }) => to !== null && getAddress(to) === getAddress(devnet.deployment.stateUpdate))
    yield* mustHold(repeated(sent.map(({ nonce }) => nonce)).length === 0, "two transactions have one nonce")
    yield* mustHold(sent.every(({ status }) => status === "success"), `reverted: ${sent.filter(({ status }) => status !== "success").map(({ hash }) => hash).join(", ")}`)
    yield* mustHold(repeated(updates.map(({ from }) => from.hash)).length === 0, "a transition was settled twice")
    return [undefined, { transactions: sent.length, updates: updates.length, toStateUpdate: toUpdate.length }] as const
  }))

  yield* see("every credit came once, and the auditor has no complaint", Effect.gen(function*() {
    const twice = repeated(history.filter(isA("Credited")).map(key))
    yield* mustHold(twice.length === 0, `credited twice: ${twice.join(", ")}`)
    const audit = yield* eventually(Context.get(node, RewardAuditor).changes(), (report) => (report.l1Block >= l1Block ? report : undefined))
    yield* mustHold(audit.alarms.length === 0, audit.alarms.join("; "))
    const own = audit.accounts.find((one) => one.account === account)
    const credited = history.filter(isA("Credited")).filter((one) => one.account === account).reduce((sum, { amount }) => sum + amount, 0n)
    yield* mustHold((own?.credited ?? 0n) >= credited, `the auditor knows of ${own?.credited ?? 0n} wei, and L1 credited ${credited}`)
    return [undefined, { credited: own?.credited ?? 0n, checkedBlocks: audit.checkedBlocks }] as const
  }))

  yield* see("no block is left unproven", Effect.gen(function*() {
    const planner = Context.get(node, TreePlanner)
    const { head } = yield* eventually(planner.changes(), (view) => view)
    const proven = yield* eventually(planner.changes(), ({ provenTo, quarantined }) =>
      provenTo.number >= head.number && quarantined.length === 0 ? provenTo.number : undefined)
    return [undefined, { head: head.number, proven }] as const
  }))

  yield* see("no job is lost, and none was done twice", Effect.gen(function*() {
    const before = [...(yield* everSeen).keys()]
    const all = yield* eventually(jobHistory, (seen) =>
      before.every((id) => wantedStates.includes(seen.get(id)!.state)) ? [...seen.values()] : undefined)
    const doneTwice = repeated(attemptsOf(all, "done").map(({ job }) => job))
    yield* mustHold(doneTwice.length === 0, `done twice: ${doneTwice.join(", ")}`)
    const lost = attemptsOf(all, "lost")
    const astray = lost.filter(({ host }) => !died.has(host))
    yield* mustHold(astray.length === 0, `lost by a host that did not die: ${astray.map(({ host, job }) => `${job} by ${host}`).join(", ")}`)
    yield* mustHold(attemptsOf(all, "failed").length === 0, `failed: ${attemptsOf(all, "failed").map(({ job, reason }) => `${job}: ${reason}`).join(", ")}`)
    return [undefined, {
      jobs: all.length,
      done: attemptsOf(all, "done").length,
      lost: lost.length,
      returned: attemptsOf(all, "returned").length
    }] as const
  }))
})
