import { assert, describe, it, layer, vi } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { BlockWitness } from "../../src/domain/BlockWitness.ts"
import { ProofSystem } from "../../src/proofs/ProofSystem.ts"
import { alice, groth16, headers, quiet, witnesses } from "./fixture.ts"

// Real threads and real proofs: minutes on a machine that does other things as well.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const home = fs.mkdtempSync(path.join(os.tmpdir(), "lignum-test-prover-"))
process.on("exit", () => fs.rmSync(home, { recursive: true, force: true }))
const script = fileURLToPath(new URL("./externalProver.mjs", import.meta.url))
const command = path.join(home, "prover")
fs.writeFileSync(command, `#!/bin/sh\nPROVER_HOME='${home}' exec '${process.execPath}' '${script}' "$(cat '${home}/mode')" "$@"\n`, { mode: 0o755 })

const behave = (mode: string) => Effect.sync(() => fs.writeFileSync(path.join(home, "mode"), mode))

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

layer(groth16({ externalProver: { command } }), { excludeTestServices: true, timeout: "4 minutes" })("an external prover", (it) => {
  it.effect("proves; what it writes is verified and its stages are told", () =>
    Effect.gen(function*() {
      yield* behave("prove")
      const { capacity, proveAncestry, verifyAncestry } = yield* ProofSystem
      assert.strictEqual(capacity, 1)
      const stages: Array<string> = []
      const proof = yield* proveAncestry(headers.slice(0, 3), ({ stage }) => Effect.sync(() => stages.push(stage)))
      yield* verifyAncestry(proof)
      assert.include(stages, "link 1 of 1: proving with prover")
      assert.strictEqual(stages.at(-1), "done")
    }))

  it.effect("whatever it does wrong is told with the way out, and may be tried again", () =>
    Effect.gen(function*() {
      const { proveAncestry } = yield* ProofSystem
      for (const [mode, reason] of [
        ["fail", /exit code 7.*out of luck.*remove the external prover/s],
        ["silent", /wrote no usable proof.*proof\.json.*remove the external prover/s],
        ["rubbish", /wrote no usable proof.*pi_a.*remove the external prover/s],
        ["long", /wrote no usable proof.*bytes/s],
        // A valid proof, but of what the test before proved.
        ["replay", /does not verify.*equation/s]
      ] as const) {
        yield* behave(mode)
        const error = yield* Effect.flip(proveAncestry(headers.slice(1, 3), quiet))
        assert.match(error.reason, reason)
        assert.isTrue(error.retry, mode)
      }
    }))

  it.effect("is not asked about a witness that does not satisfy the circuit", () =>
    Effect.gen(function*() {
      yield* behave("hang")
      const { proveBlock } = yield* ProofSystem
      const witness = witnesses[0]!
      const swapped = new BlockWitness({ ...witness, transfers: witness.transfers.toReversed() })
      const error = yield* Effect.flip(proveBlock(swapped, alice, quiet))
      assert.match(error.reason, /constraint does not hold/)
      assert.isFalse(error.retry)
    }))

  it.effect("OC-4: is killed when its proof is interrupted", () =>
    Effect.gen(function*() {
      yield* behave("hang")
      const pidFile = path.join(home, "pid")
      const { proveAncestry } = yield* ProofSystem
      const fiber = yield* Effect.forkScoped(proveAncestry(headers.slice(0, 2), quiet))
      while (!fs.existsSync(pidFile) || fs.readFileSync(pidFile, "utf8") === "") yield* Effect.sleep("20 millis")
      const pid = Number(fs.readFileSync(pidFile, "utf8"))
      assert.isTrue(isRunning(pid))
      yield* Fiber.interrupt(fiber)
      assert.isFalse(isRunning(pid))
    }))
})

describe("an external prover that is not there", () => {
  for (const missing of [path.join(home, "nothing"), "no-such-prover-anywhere"]) {
    it.live(`is told at the start, with the way out: ${path.basename(missing)}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Effect.scoped(Layer.build(groth16({ externalProver: { command: missing } }))))
        assert.strictEqual(error._tag, "ExternalProverFailed")
        assert.match(error.message, /cannot be started.*remove the external prover/)
      }))
  }
})
