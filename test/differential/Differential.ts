/**
 * The contracts against the pure settlement, over random histories.
 */
import { Effect } from "effect"
import { l1ChainId } from "../../src/devnet/DevnetConfig.ts"
import * as Anvil from "../../src/l1/Anvil.ts"
import { buildContracts } from "../../src/l1/ContractBuild.ts"
import { compile, type Compiled } from "./Compile.ts"
import { Coverage } from "./Coverage.ts"
import { drawHistory, type Scripted } from "./History.ts"
import { parameterSets } from "./Parameters.ts"
import { connect } from "./Rpc.ts"
import { genesis, pairs } from "./Setting.ts"
import { shrink } from "./Shrink.ts"
import { deployWorlds, type Mismatch, testContracts } from "./World.ts"

export interface Options {
  readonly histories: number
  /** Calls of one history. */
  readonly events: number
  readonly seed: string
  /** Hears what goes on, line by line. */
  readonly progress: (line: string) => void
}

/** A history on which the two sides part, as small as it gets. */
export interface Failure extends Mismatch {
  readonly seed: string
  /** Which set of parameters. */
  readonly parameters: number
  readonly history: ReadonlyArray<Scripted>
}

/** For JSON: bigints as decimal strings. */
export const plain = (_: string, value: unknown) => typeof value === "bigint" ? value.toString() : value

/** What anybody needs to see a failure again, and to see through it. */
export const described = ({ call, contracts, history, parameters, pure, seed, what }: Failure): string =>
  [
    `seed ${seed}, parameters ${parameters}: after call ${call} of these, ${what} differs`,
    `contracts: ${contracts}`,
    `pure:      ${pure}`,
    ...history.map((scripted, i) => `${i}: ${JSON.stringify(scripted, plain)}`)
  ].join("\n")

export interface Report {
  readonly histories: number
  readonly calls: number
  readonly seconds: number
  readonly coverage: Coverage
  readonly failure: Failure | undefined
}

/** Runs histories until one fails, or all have passed. */
export const differential = Effect.fnUntraced(function*({ events, histories, progress, seed }: Options) {
  const { url } = yield* Anvil.start({ port: 0, chainId: l1ChainId })
  const built = yield* buildContracts({ onCompile: Effect.sync(() => progress("compiling the contracts")) })
  const contracts = { ...built.contracts as unknown as Readonly<Record<string, Compiled>>, ...compile(...testContracts) }
  const rpc = yield* Effect.acquireRelease(Effect.promise(() => connect(url)), ({ close }) => Effect.sync(close))
  const worlds = yield* Effect.promise(() => deployWorlds(rpc, contracts, parameterSets))
  return yield* Effect.promise(async (): Promise<Report> => {
    const coverage = new Coverage()
    const begun = performance.now()
    const report = (done: number, failure?: Failure): Report => ({
      histories: done,
      calls: done * events,
      seconds: (performance.now() - begun) / 1000,
      coverage,
      failure
    })
    for (let i = 0; i < histories; i++) {
      const parameters = i % worlds.length
      const world = worlds[parameters]!
      const name = `${seed}/${i}`
      const history = drawHistory({ seed: name, state: world.state, genesis, at: world.at, pairs }, events)
      const mismatch = await world.run(history, coverage)
      if (mismatch !== undefined) {
        progress(`history ${name} fails at call ${mismatch.call}: ${mismatch.what}; looking for the smallest part that does`)
        const smallest = await shrink(history.slice(0, mismatch.call + 1), async (part) => (await world.run(part))?.what === mismatch.what)
        return report(i + 1, { ...(await world.run(smallest) ?? mismatch), seed: name, parameters, history: smallest })
      }
      if ((i + 1) % 100 === 0) progress(`${i + 1} of ${histories} histories agree, ${Math.round((performance.now() - begun) / 1000)} s`)
    }
    return report(histories)
  })
})
