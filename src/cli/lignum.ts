/**
 * The command tree: `lignum <noun> [<verb>]`, one file each, loaded when it is asked for.
 */
import { Command } from "effect/cli"

const jobs = async () => {
  const [{ jobsList }, { jobsShow }, { jobsRetry }, { jobsReplay }] = await Promise.all([
    import("./jobs/list.ts"),
    import("./jobs/show.ts"),
    import("./jobs/retry.ts"),
    import("./jobs/replay.ts")
  ])
  return Command.make("jobs").pipe(
    Command.withDescription("Look after what is to be proven: list, show, retry, replay"),
    Command.withSubcommands([jobsList, jobsShow, jobsRetry, jobsReplay])
  )
}

const keys = async () => {
  const [{ keysBuild }, { keysVerify }] = await Promise.all([import("./keys/build.ts"), import("./keys/verify.ts")])
  return Command.make("keys").pipe(
    Command.withDescription("Build and check Groth16 keys"),
    Command.withSubcommands([keysBuild, keysVerify])
  )
}

const proverGas = async () =>
  Command.make("prover-gas").pipe(
    Command.withDescription("The schedule of what proving a transaction costs"),
    Command.withSubcommands([(await import("./prover-gas/calibrate.ts")).proverGasCalibrate])
  )

const nouns = {
  devnet: async () => (await import("./devnet.ts")).devnet,
  node: async () => (await import("./node.ts")).node,
  jobs,
  quote: async () => (await import("./quote.ts")).quote,
  keys,
  "prover-gas": proverGas
}

const isNoun = (word: string): word is keyof typeof nouns => Object.hasOwn(nouns, word)

/** The tree as far as these words of a command line need it: one noun, or all of them where none is named. */
export const lignum = async (words: ReadonlyArray<string>) => {
  const named = words.find(isNoun)
  const wanted = named === undefined ? Object.values(nouns) : [nouns[named]]
  return Command.make("lignum").pipe(
    Command.withDescription("Proves and settles a rollup's blocks on L1, by provers who do not trust each other"),
    Command.withSubcommands(await Promise.all(wanted.map((load) => load())))
  )
}
