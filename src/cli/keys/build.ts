/**
 * `lignum keys build`: keys for circuits of any size.
 */
import { Console, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { AncestryParameters, BlockParameters, devnetParameters } from "../../proofs/CircuitParameters.ts"
import { Beacon, buildKeys } from "../../proofs/CircuitKeyBuilder.ts"
import { encodeManifest } from "../../proofs/CircuitManifest.ts"
import { keyProgress } from "./progress.ts"

const size = (name: string, description: string, fallback: number) =>
  Flag.Int(name).pipe(Flag.withDescription(`${description} (default ${fallback})`), Flag.withDefault(fallback))

const parse = Schema.decodeUnknownEffect(Schema.Struct({ block: BlockParameters, ancestry: AncestryParameters }))

/** The sizes that were asked for are none that a circuit can have. */
class ParametersUnusable extends Schema.TaggedError<ParametersUnusable>()("ParametersUnusable", { reason: Schema.String }) {
  override get message() {
    return `no circuit can be built to these parameters: ${this.reason}`
  }
}

export const keysBuild = Command.make(
  "build",
  {
    directory: Flag.String("directory").pipe(Flag.withDescription("New folder for the keys; it must not exist")),
    slots: size("slots", "Transfers that a block can hold, a power of two", devnetParameters.block.slots),
    depth: size("depth", "Levels of the account tree", devnetParameters.block.depth),
    chainId: Flag.String("chain-id").pipe(
      Flag.withDescription("Chain id that transfers are signed for"),
      Flag.withDefault(`${devnetParameters.block.chainId}`)
    ),
    transferGas: size("transfer-gas", "Prover gas of a transfer", devnetParameters.block.transferGas),
    maxHeaders: size("max-headers", "Headers that one ancestry proof spans", devnetParameters.ancestry.maxHeaders),
    ptau: Flag.String("ptau").pipe(
      Flag.withDescription("Powers of tau over BN254, prepared for phase 2; made afresh if not given, which takes long"),
      Flag.optional
    ),
    contributions: size("contributions", "Contributions to each key, all from this machine", 1),
    entropy: Flag.String("entropy").pipe(Flag.withDescription("Mixed with the system's randomness"), Flag.optional),
    beacon: Flag.String("beacon").pipe(
      Flag.withDescription("A public random value, in hex, that ends the setup"),
      Flag.withSchema(Beacon.fields.hash),
      Flag.optional
    ),
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print one JSON object as the last line"), Flag.withDefault(false))
  },
  Effect.fn(function*(given) {
    const parameters = yield* Effect.mapError(
      parse({
        block: { slots: given.slots, depth: given.depth, chainId: given.chainId, transferGas: given.transferGas },
        ancestry: { maxHeaders: given.maxHeaders }
      }),
      (error) => new ParametersUnusable({ reason: error.message.split("\n").join(" ") })
    )
    const manifest = yield* Effect.scoped(buildKeys({
      parameters,
      directory: given.directory,
      contributions: given.contributions,
      onProgress: keyProgress(given.json),
      ...(Option.isSome(given.ptau) ? { ptau: given.ptau.value } : {}),
      ...(Option.isSome(given.entropy) ? { entropy: given.entropy.value } : {}),
      ...(Option.isSome(given.beacon) ? { beacon: { hash: given.beacon.value, iterationsExponent: 10 } } : {})
    }))
    if (given.json) {
      return yield* Console.log(JSON.stringify(JSON.parse(encodeManifest(manifest))))
    }
    yield* Console.log(`keys are in ${given.directory}; they are for development only: one machine made them`)
  })
).pipe(Command.withDescription("Compile the circuits and build development keys for them"))
