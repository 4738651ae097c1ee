/**
 * The command tree: `lignum <noun> [<verb>]`, one file each.
 */
import { Command } from "effect/cli"
import { devnet } from "./devnet.ts"
import { jobsList } from "./jobs/list.ts"
import { jobsReplay } from "./jobs/replay.ts"
import { jobsRetry } from "./jobs/retry.ts"
import { jobsShow } from "./jobs/show.ts"
import { keysBuild } from "./keys/build.ts"
import { keysVerify } from "./keys/verify.ts"
import { proverGasCalibrate } from "./prover-gas/calibrate.ts"
import { node } from "./node.ts"
import { quote } from "./quote.ts"

const jobs = Command.make("jobs").pipe(
  Command.withDescription("Look after what is to be proven: list, show, retry, replay"),
  Command.withSubcommands([jobsList, jobsShow, jobsRetry, jobsReplay])
)

const keys = Command.make("keys").pipe(
  Command.withDescription("Build and check Groth16 keys"),
  Command.withSubcommands([keysBuild, keysVerify])
)

const proverGas = Command.make("prover-gas").pipe(
  Command.withDescription("The schedule of what proving a transaction costs"),
  Command.withSubcommands([proverGasCalibrate])
)

export const lignum = Command.make("lignum").pipe(
  Command.withDescription("Proves and settles a rollup's blocks on L1, by provers who do not trust each other"),
  Command.withSubcommands([devnet, node, jobs, quote, keys, proverGas])
)
