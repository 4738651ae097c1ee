/**
 * A host of a cluster as a process of its own, with proofs that take time and no work: what `lignum node` is, but for its proofs and
 * for L1. Started by `Cluster.ts`, it says on standard output when it runs, and when it begins a proof.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Duration, Effect, Layer, Redacted, Schema } from "effect"
import { defaultParameters } from "../../src/domain/ProtocolParameters.ts"
import { plainLine, toStderr, withLog } from "../../src/cli/log.ts"
import { startHost } from "../../src/cluster/startHost.ts"
import { ProofSystem } from "../../src/proofs/ProofSystem.ts"
import * as ModelProofs from "../../src/simulation/ModelProofs.ts"
import { layer as modelRollup, operatorPorts, simulatedAccount } from "../../src/simulation/Simulation.ts"
import { HostOptions, HostSays } from "./HostProtocol.ts"

const say = (line: typeof HostSays.Type) => Effect.sync(() => void process.stdout.write(`${Schema.encodeSync(HostSays)(line)}\n`))

/** Model proofs that say when they are begun. */
const proofs = (milliseconds: number) =>
  Layer.effect(
    ProofSystem,
    Effect.map(ProofSystem, (system) =>
      ProofSystem.of({
        ...system,
        proveBlock: (witness, prover, onProgress) =>
          Effect.andThen(
            Effect.suspend(() => say({ says: "begins", prover, at: performance.timeOrigin + performance.now() })),
            system.proveBlock(witness, prover, onProgress)
          )
      }))
  ).pipe(Layer.provide(ModelProofs.layer({ capacity: 1, blockTime: () => Duration.millis(milliseconds) })))

const controlPorts = operatorPorts(simulatedAccount(1), defaultParameters).pipe(Layer.provideMerge(modelRollup({ seed: "bench", ledger: { length: 0 } })))

// When whoever started it is gone, so is the database: nothing can be ended in order.
process.stdin.resume().once("close", () => process.exit(1))

const { control, database, drainMilliseconds, milliseconds, name, secret } = Schema.decodeSync(HostOptions)(process.argv[2]!)

const program = Effect.gen(function*() {
  const { run } = yield* startHost({
    name,
    database: Redacted.make(database),
    secret: Redacted.make(Buffer.from(secret, "hex")),
    listen: { host: "127.0.0.1", port: 0 },
    ...(control ? { control: { ports: controlPorts } } : {}),
    proving: { sizes: ["small", "big"], cores: 1, memory: 1_024 },
    drainWithin: Duration.millis(drainMilliseconds)
  })
  yield* say({ says: "runs" })
  yield* run
}).pipe(
  Effect.scoped,
  Effect.provide(Layer.merge(NodeServices.layer, proofs(milliseconds))),
  withLog("Warn", (line) => toStderr(`${name}: ${plainLine(line)}`))
)

NodeRuntime.runMain(program)
