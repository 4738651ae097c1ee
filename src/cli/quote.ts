/**
 * `lignum quote`: asks a running node what a transaction pays, and what to sign (FM-5).
 */
import { Console, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { ProverGas } from "../domain/Amount.ts"
import { ether } from "../domain/Ether.ts"
import { Quote } from "../domain/Quote.ts"
import { FeeControllerRpcs } from "../roles/FeeController.ts"
import { knock } from "../rpc/HttpDoor.ts"

const isWebAddress = Schema.makeFilter((text: string) => (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) || "an address like http://127.0.0.1:8645")

/** A whole number of more than 53 bits, from zero on. */
const amount = (maximum: bigint) => Schema.BigIntFromString.check(Schema.isBetweenBigInt({ minimum: 0n, maximum }))

const multiplier = (millionths: bigint): string => `×${Number(millionths) / 1e6}`
const grouped = (value: bigint): string => value.toLocaleString("en-US")

/** A table of three columns, the second flush right. */
const table = (rows: ReadonlyArray<readonly [string, string, string]>): ReadonlyArray<string> => {
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length))
  const [names, values] = [width(0), width(1)]
  return rows.map(([name, value, remark]) => `${name.padEnd(names)}  ${value.padStart(values)}  ${remark}`.trimEnd())
}

const lines = ({ block, maxProverFee, parts, price, priceBound, proverGas, total }: Quote, blocks: number): ReadonlyArray<string> => {
  const { execution, proverFee, rulePrice, settlement, signalMultiplier } = parts
  return [
    `as of block ${block}, for a transaction of ${grouped(proverGas)} prover gas`,
    "",
    ...table([
      execution === null
        ? ["execution", "-", "nothing is charged for it here"]
        : ["execution", ether(execution.fee), `${grouped(execution.gas)} execution gas · ${grouped(execution.price)} wei`],
      ["proving", ether(proverFee), `${grouped(proverGas)} prover gas · ${grouped(price)} wei (rule ${grouped(rulePrice)} ${multiplier(signalMultiplier)} by the L1 signal)`],
      settlement === null
        ? ["settlement", "-", "the price of L1 gas is not known"]
        : ["settlement", ether(settlement.share), `its part of ${grouped(settlement.gasPerBlock)} L1 gas a block · ${grouped(settlement.l1GasPrice)} wei`],
      ["total", ether(total), ""]
    ]),
    "",
    `within ${blocks} ${blocks === 1 ? "block" : "blocks"} the price of proving is at most ${grouped(priceBound)} wei per prover gas:`,
    `sign maxProverFee ${maxProverFee} (${ether(maxProverFee)}); less is charged when the price is lower`
  ]
}

export const quote = Command.make(
  "quote",
  {
    rpc: Flag.String("rpc").pipe(
      Flag.withSchema(Schema.String.check(isWebAddress)),
      Flag.withDescription("Address of a running node, as `devnet --rpc-port` prints it and rpc.json in its data folder has it")
    ),
    proverGas: Flag.String("prover-gas").pipe(
      Flag.withSchema(amount((1n << 32n) - 1n)),
      Flag.withDescription("Prover gas of the transaction; a transfer has 16000")
    ),
    blocks: Flag.Int("blocks").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))),
      Flag.withDescription("For how many blocks what is signed must stay enough (default 10)"),
      Flag.withDefault(10)
    ),
    overdue: Flag.String("overdue").pipe(
      Flag.withSchema(amount((1n << 64n) - 1n)),
      Flag.withDescription("The most prover gas that will be overdue meanwhile; any backlog is reckoned with if not given"),
      Flag.optional
    ),
    highestSignal: Flag.String("highest-signal").pipe(
      Flag.withSchema(Schema.BigIntFromString.check(Schema.isBetweenBigInt({ minimum: 1_000_000n, maximum: (1n << 32n) - 1n }))),
      Flag.withDescription("The highest multiplier of the L1 signal meanwhile, in millionths; what the signal can do if not given"),
      Flag.optional
    ),
    executionGas: Flag.String("execution-gas").pipe(
      Flag.withSchema(amount((1n << 64n) - 1n)),
      Flag.withDescription("Execution gas of the transaction, where the rollup charges for execution"),
      Flag.optional
    ),
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print one JSON object as the last line; amounts are wei"), Flag.withDefault(false))
  },
  Effect.fn(function*({ blocks, executionGas, highestSignal, json, overdue, proverGas, rpc }) {
    const answer = yield* knock(FeeControllerRpcs, rpc, (fees) =>
      fees.quote({
        proverGas: ProverGas.make(proverGas),
        blocks,
        ...(Option.isSome(overdue) ? { overdue: ProverGas.make(overdue.value) } : {}),
        ...(Option.isSome(highestSignal) ? { highestSignal: highestSignal.value } : {}),
        ...(Option.isSome(executionGas) ? { executionGas: executionGas.value } : {})
      }))
    if (json) return yield* Console.log(yield* Schema.encodeEffect(Schema.fromJsonString(Schema.toCodecJson(Quote)))(answer))
    for (const line of lines(answer, blocks)) yield* Console.log(line)
  })
).pipe(
  Command.withDescription("Ask a running node what a transaction pays now, and the maxProverFee to sign"),
  Command.withExamples([
    { command: "lignum quote --rpc http://127.0.0.1:8645 --prover-gas 16000", description: "A transfer, to stay valid for ten blocks" },
    { command: "lignum quote --rpc http://127.0.0.1:8645 --prover-gas 16000 --blocks 3 --overdue 0 --json", description: "If no proof will be late, for a script" }
  ])
)
