/**
 * What settlement costs on L1: real proofs and certificates, on a real chain, through the node's own L1 port.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer, Redacted } from "effect"
import { privateKeyToAddress } from "viem/accounts"
import { l1Accounts } from "../src/devnet/Chain.ts"
import type { Checkpoint } from "../src/domain/Checkpoint.ts"
import { toAddress } from "../src/domain/Hash.ts"
import type { AncestryProof } from "../src/domain/Proof.ts"
import { rewardVaultAbi } from "../src/l1/abi.ts"
import type { Update } from "../src/l1/L1.ts"
import { loadKeys } from "../src/proofs/CircuitKeys.ts"
import * as Groth16 from "../src/proofs/Groth16.ts"
import { ProofSystem } from "../src/proofs/ProofSystem.ts"
import { fullBlocks } from "./Blocks.ts"
import { freshWorld, registerChain, send, settle, type World } from "./L1World.ts"
import { type Bench, type BenchOptions, type Measurements, median } from "./Report.ts"

const blockCount = 8
/** Blocks between END and the checkpoint's block, where the two are not the same. */
const distance = 2

const program = ({ progress, runs, seed }: BenchOptions) =>
  Effect.gen(function*() {
    const { blocks: executions, genesis } = fullBlocks(`bench/${seed}`, blockCount + distance)
    const headers = executions.map(({ block }) => block.header)
    const [end, later] = [headers[blockCount - 1]!, headers[blockCount + distance - 1]!]
    const system = yield* ProofSystem
    const prover = toAddress(privateKeyToAddress(Redacted.value(l1Accounts.proverKey)))

    progress(`proving ${blockCount} blocks and the ancestry of the last`)
    const quiet = () => Effect.void
    const [proofs, ancestry] = yield* Effect.all([
      Effect.forEach(executions.slice(0, blockCount), ({ witness }) => system.proveBlock(witness, prover, quiet), { concurrency: "unbounded" }),
      system.proveAncestry(headers.slice(blockCount - 1), quiet)
    ], { concurrency: "unbounded" })
    const [first, ...rest] = proofs
    let proof = first!
    for (const each of rest) proof = yield* system.merge(proof, each)

    const measure = Effect.fnUntraced(function*(validators: number) {
      const update = (checkpoints: ReadonlyArray<Checkpoint>, link: AncestryProof | undefined): Update => ({
        statement: proof.statement,
        system: proof.system,
        mergers: [],
        checkpoints,
        ancestry: link?.via ?? [],
        proof: system.encodeForL1(proof, link)
      })
      const fund = (world: World) => send(world, { address: world.deployment.vault, abi: rewardVaultAbi, functionName: "fund", value: proof.statement.proverFees })

      const own = yield* freshWorld(`bench/${seed}`, genesis, validators)
      yield* fund(own)
      const { checkpoints, gas: checkpoint } = yield* registerChain(own, genesis, [headers[0]!, end])
      const atCheckpoint = yield* settle(own, update(checkpoints, undefined))

      const other = yield* freshWorld(`bench/${seed}`, genesis, validators)
      yield* fund(other)
      const beyond = yield* registerChain(other, genesis, [later])
      const withAncestry = yield* settle(other, update(beyond.checkpoints, ancestry))
      return { checkpoint, atCheckpoint, withAncestry }
    }, Effect.scoped)

    const four: Array<Effect.Success<ReturnType<typeof measure>>> = []
    const sixtyFour: typeof four = []
    for (let run = 1; run <= runs; run++) {
      four.push(yield* measure(4))
      sixtyFour.push(yield* measure(64))
      progress(`run ${run} of ${runs}: ${JSON.stringify({ four: four.at(-1), sixtyFour: sixtyFour.at(-1) })}`)
    }
    const of = (figures: typeof four, name: keyof (typeof four)[number]) => median(figures.map((each) => each[name]))
    return {
      bars: [
        { id: "update-8-blocks-at-checkpoint", value: of(four, "atCheckpoint"), unit: "gas", atMost: 799_999 },
        { id: "update-8-blocks-with-ancestry", value: of(four, "withAncestry"), unit: "gas", atMost: 899_999 },
        { id: "checkpoint-4-validators", value: of(four, "checkpoint"), unit: "gas", atMost: 259_999 },
        { id: "checkpoint-64-validators", value: of(sixtyFour, "checkpoint"), unit: "gas", atMost: 299_999 }
      ],
      details: { blocks: blockCount, checkpointsPassed: 2, four, sixtyFour }
    } satisfies Measurements
  })

const services = Layer.unwrap(Effect.map(loadKeys(), (keys) => Groth16.layer({ keys })))

export const bench: Bench = {
  runs: 1,
  measure: (options) => Effect.runPromise(program(options).pipe(Effect.provide(services), Effect.provide(NodeServices.layer)))
}
