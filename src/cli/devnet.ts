/**
 * `lignum devnet`: a whole rollup on this machine, proving and settling until it is stopped.
 */
import { Duration, Effect, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { defaultDevnet, maxBlocksPerUpdate, maxHosts, maxOperators } from "../devnet/DevnetConfig.ts"
import { scenarioNames, scenarioSummaries } from "../devnet/scenarios/summaries.ts"
import { maxValidators } from "../domain/QuorumCertificate.ts"

/** A whole number within bounds; its description ends with the default. */
const whole = (name: string, description: string, fallback: number, maximum: number) =>
  Flag.Int(name).pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum }))),
    Flag.withDescription(`${description} (default ${fallback})`),
    Flag.withDefault(fallback)
  )

const { ledger: defaults } = defaultDevnet

const flags = {
  data: Flag.String("data").pipe(
    Flag.withDescription("Folder to keep everything in, and to go on from; a temporary one if not given"),
    Flag.optional
  ),
  untilUpdates: Flag.Int("until-updates").pipe(
    Flag.withSchema(Schema.Int.check(Schema.isGreaterThan(0))),
    Flag.withDescription("Stop when L1 has had so many state updates, counted from the data folder's first start"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Say nothing but one JSON object, as the last line, when it stops"),
    Flag.withDefault(false)
  ),
  seed: Flag.String("seed").pipe(
    Flag.withDescription(`What keys, traffic and quorums derive from (default "${defaults.seed}")`),
    Flag.withDefault(defaults.seed)
  ),
  blockTime: Flag.String("block-time").pipe(
    Flag.withSchema(Schema.DurationFromString.check(
      Schema.makeFilter((time: Duration.Duration) => Duration.toMillis(time) >= 100 || "a duration of at least 100 millis")
    )),
    Flag.withDescription(`Time from block to block, as in "500 millis" (default "${Duration.toSeconds(defaults.blockTime)} seconds")`),
    Flag.withDefault(defaults.blockTime)
  ),
  checkpointInterval: whole("checkpoint-interval", "Blocks from checkpoint to checkpoint", defaults.checkpointInterval, 1_000_000),
  validators: whole("validators", `Validators that certify checkpoints, ${maxValidators} at most`, defaults.validators, maxValidators),
  blocksPerUpdate: whole(
    "blocks-per-update",
    `Blocks that a state update covers, or a multiple of it, ${maxBlocksPerUpdate} at most`,
    defaultDevnet.blocksPerUpdate,
    maxBlocksPerUpdate
  ),
  operators: whole(
    "operators",
    `Prover operators, each a whole node in a process of its own, with an L1 account and a store, ${maxOperators} at most`,
    defaultDevnet.operators.length,
    maxOperators
  ),
  hosts: whole(
    "hosts",
    `Hosts of the first operator, each a process; more than one share a Postgres, which runs in the data folder; ${maxHosts} at most`,
    defaultDevnet.hosts,
    maxHosts
  ),
  postgres: Flag.String("postgres").pipe(
    Flag.withSchema(Schema.String.check(
      Schema.makeFilter((text: string) => (URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol)) || "an address like postgres://user:password@host:5432/database")
    )),
    Flag.withDescription("A database of yours for those hosts to share, empty or of this devnet, in the place of the one in the data folder"),
    Flag.optional
  ),
  scenario: Flag.Literals("scenario", scenarioNames).pipe(
    Flag.withDescription(
      "Play a scenario, which sets times, parameters and operators itself, and end with 0 only if its outcome was seen" +
        // As far to the right as the descriptions of the other flags.
        scenarioNames.map((name) => `\n${" ".repeat(37)}${name}: ${scenarioSummaries[name]}`).join("")
    ),
    Flag.optional
  ),
  workers: Flag.Int("workers").pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 256 }))),
    Flag.withDescription("Proofs at once of each host; the cores are shared out if not given, at least one to each"),
    Flag.optional
  ),
  l1Port: Flag.Int("l1-port").pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
    Flag.withDescription("Port of the L1 chain on loopback (default 0: picks a free one)"),
    Flag.withDefault(defaultDevnet.l1Port)
  ),
  rpcPort: Flag.Int("rpc-port").pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
    Flag.withDescription("Port on loopback where the node answers `lignum quote` (0 picks a free one); its address goes into rpc.json, too. None if not given"),
    Flag.optional
  ),
  provingCost: Flag.String("proving-cost").pipe(
    Flag.withSchema(Schema.BigIntFromString.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: (1n << 64n) - 1n }))),
    Flag.withDescription("What proving costs an operator, in wei per prover gas: where prices leave less, its node flags on L1; never if not given"),
    Flag.optional
  ),
  keys: Flag.String("keys").pipe(
    Flag.withDescription("Folder of the proving keys"),
    Flag.withDefault(defaultDevnet.keys)
  ),
  proverCommand: Flag.String("prover-command").pipe(
    Flag.withDescription("A program with rapidsnark's command line that takes the proving step"),
    Flag.optional
  )
}

/** What the flags say. */
export type DevnetFlags = Command.Command.Config.Infer<typeof flags>

export const devnet = Command.make(
  "devnet",
  flags,
  // A refused flag need not wait for all of the devnet to be loaded.
  (given) => Effect.flatMap(Effect.promise(() => import("./runDevnet.ts")), ({ runDevnet }) => runDevnet(given))
).pipe(
  Command.withDescription("Run a rollup, its L1 and prover nodes on this machine, until Ctrl-C"),
  Command.withExamples([
    { command: "lignum devnet", description: "Prove and settle, live in the terminal" },
    { command: "lignum devnet --until-updates 2 --json", description: "Stop after two state updates and print what happened" },
    { command: "lignum devnet --operators 1", description: "One prover operator, with the whole machine" },
    { command: "lignum devnet --operators 1 --hosts 3", description: "One prover operator on three hosts, any of which may die" },
    { command: "lignum devnet --scenario fallback --json", description: "Play a scenario and print what was seen" },
    { command: "lignum devnet --data ./devnet", description: "Keep everything in a folder, and go on from it next time" }
  ])
)
