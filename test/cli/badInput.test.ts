import { assert, describe, it } from "@effect/vitest"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { devnetKeysDirectory } from "../../src/proofs/CircuitManifest.ts"
import { type Ended, lignum } from "./lignum.ts"

/** Exit code 2, and one line that says what is wrong, where, and the way out. */
const assertPlainRefusal = ({ code, stderr, stdout }: Ended, ...words: ReadonlyArray<RegExp>) => {
  assert.strictEqual(code, 2, stderr)
  assert.strictEqual(stdout, "")
  assert.isAtMost(stderr.trim().split("\n").length, 2, stderr)
  assert.notMatch(stderr, /\n\s+at /, "no stack")
  for (const word of words) assert.match(stderr, word)
}

const inTemporaryFolder = async (use: (folder: string) => Promise<void>) => {
  const folder = mkdtempSync(join(tmpdir(), "lignum-bad-"))
  try {
    await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe("wrong use ends with exit code 2 and one clear sentence", () => {
  it("an unknown flag", async () => {
    assertPlainRefusal(await lignum(["devnet", "--no-such-flag"]).ended, /--no-such-flag/, /lignum devnet --help/)
  })

  it("an unknown command", async () => {
    assertPlainRefusal(await lignum(["devent"]).ended, /devent/)
  })

  it("asking for help is no wrong use", async () => {
    for (const args of [[], ["--help"], ["keys"], ["devnet", "--help"]]) {
      const { code, stderr, stdout } = await lignum(args).ended
      assert.strictEqual(code, 0, stderr)
      assert.match(stdout, /lignum/)
    }
  })

  it("a value out of range", async () => {
    assertPlainRefusal(await lignum(["devnet", "--until-updates", "0"]).ended, /until-updates/)
    assertPlainRefusal(await lignum(["devnet", "--block-time", "soon"]).ended, /block-time/)
    assertPlainRefusal(await lignum(["devnet", "--validators", "65"]).ended, /validators/)
  })

  it("hosts that cannot be, or that have nothing to share", async () => {
    assertPlainRefusal(await lignum(["devnet", "--hosts", "0"]).ended, /hosts/)
    assertPlainRefusal(await lignum(["devnet", "--hosts", "17"]).ended, /hosts/)
    assertPlainRefusal(await lignum(["devnet", "--hosts", "2", "--postgres", "localhost:5432"]).ended, /postgres:\/\/user:password@host/)
    assertPlainRefusal(await lignum(["devnet", "--json", "--postgres", "postgres://me:secret@127.0.0.1:9/lignum"]).ended, /--postgres/, /--hosts/)
    const ended = await lignum(["devnet", "--json", "--hosts", "2", "--postgres", "postgres://me:secret@127.0.0.1:9/lignum"]).ended
    assertPlainRefusal(ended, /127\.0\.0\.1:9/, /start the server/)
    assert.notInclude(ended.stderr, "secret")
  })

  it("a calibration that could not be written down, before it is begun", async () => {
    assertPlainRefusal(await lignum(["prover-gas", "calibrate", "--write", "/no/such/folder/table.json"]).ended, /\/no\/such\/folder/, /name a file/)
    await inTemporaryFolder(async (folder) => {
      const file = join(folder, "file")
      writeFileSync(file, "something precious")
      assertPlainRefusal(await lignum(["prover-gas", "calibrate", "--write", file]).ended, /no prover gas table/)
      assert.strictEqual(readFileSync(file, "utf8"), "something precious")
    })
    assertPlainRefusal(await lignum(["prover-gas", "calibrate", "--runs", "0"]).ended, /runs/)
  })

  it("a taken port", async () => {
    const server = createServer()
    const port = await new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as { readonly port: number }).port))
    )
    try {
      assertPlainRefusal(await lignum(["devnet", "--json", "--l1-port", String(port)]).ended, new RegExp(`port ${port} is taken`), /--l1-port/)
    } finally {
      server.close()
    }
  })

  it("a taken port of the node's own", async () => {
    const server = createServer()
    const port = await new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as { readonly port: number }).port))
    )
    try {
      assertPlainRefusal(await lignum(["devnet", "--json", "--rpc-port", String(port)]).ended, new RegExp(`port ${port} is taken`), /--rpc-port/)
    } finally {
      server.close()
    }
  })

  it("a quote from nobody, or that cannot be", async () => {
    const nobody = ["quote", "--rpc", "http://127.0.0.1:9", "--prover-gas", "16000"]
    assertPlainRefusal(await lignum(nobody).ended, /no lignum node answers at http:\/\/127\.0\.0\.1:9 /, /lignum devnet --rpc-port/, /rpc\.json/)
    assertPlainRefusal(await lignum(["quote", "--prover-gas", "16000"]).ended, /--rpc/)
    assertPlainRefusal(await lignum(["quote", "--rpc", "127.0.0.1:9", "--prover-gas", "16000"]).ended, /--rpc/, /http:\/\/127\.0\.0\.1:\d+/)
    assertPlainRefusal(await lignum([...nobody, "--blocks", "0"]).ended, /--blocks/)
    assertPlainRefusal(await lignum([...nobody, "--highest-signal", "1"]).ended, /--highest-signal/)
  })

  it("a missing binary", async () => {
    const ended = await lignum(["devnet", "--json"], { LIGNUM_ANVIL: "/no/such/anvil" }).ended
    assertPlainRefusal(ended, /anvil was not found/, /LIGNUM_ANVIL/)
  })

  it("a missing external prover", async () => {
    assertPlainRefusal(await lignum(["devnet", "--json", "--prover-command", "/no/such/prover"]).ended, /no\/such\/prover/)
  })

  it("a damaged key file, which is left as it is", () =>
    inTemporaryFolder(async (folder) => {
      cpSync(devnetKeysDirectory, folder, { recursive: true })
      const file = readdirSync(folder).find((name) => name.startsWith("block.zkey"))!
      const damaged = readFileSync(join(folder, file))
      damaged[1_000] = damaged[1_000]! ^ 1
      writeFileSync(join(folder, file), damaged)
      assertPlainRefusal(await lignum(["devnet", "--json", "--keys", folder]).ended, new RegExp(file), /git checkout|keys build/)
      assert.isTrue(readFileSync(join(folder, file)).equals(damaged))
    }))

  it("a data folder that is none", () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, "file")
      writeFileSync(file, "something precious")
      assertPlainRefusal(await lignum(["devnet", "--json", "--data", file]).ended, /data folder/, /--data/)
      assert.strictEqual(readFileSync(file, "utf8"), "something precious")
    }))

  it("a data folder with a damaged chain or addresses file", () =>
    inTemporaryFolder(async (folder) => {
      writeFileSync(join(folder, "l1.json"), "{")
      assertPlainRefusal(await lignum(["devnet", "--json", "--data", folder]).ended, /saved chain is damaged/, /l1\.json/, /restore/)
      rmSync(join(folder, "l1.json"))
      writeFileSync(join(folder, "addresses.json"), "{")
      assertPlainRefusal(await lignum(["devnet", "--json", "--data", folder]).ended, /addresses\.json/, /Restore/)
    }))

  it("a data folder that was made with another seed", () =>
    inTemporaryFolder(async (folder) => {
      const first = lignum(["devnet", "--data", folder, "--seed", "one", "--json"])
      while (!existsSync(join(folder, "addresses.json"))) await sleep(100)
      first.interrupt()
      assert.strictEqual((await first.ended).code, 0)
      assertPlainRefusal(await lignum(["devnet", "--json", "--data", folder, "--seed", "two"]).ended, /seed was "one", is "two"/)
    }))

  it("a data folder whose first operator has another number of hosts", () =>
    inTemporaryFolder(async (folder) => {
      mkdirSync(join(folder, "prover-1", "host-2"), { recursive: true })
      assertPlainRefusal(await lignum(["devnet", "--json", "--data", folder]).ended, /several hosts/, /--hosts/)
      rmSync(join(folder, "prover-1", "host-2"), { recursive: true })
      writeFileSync(join(folder, "prover-1", "node.db"), "")
      assertPlainRefusal(await lignum(["devnet", "--json", "--data", folder, "--hosts", "2"]).ended, /one host/, /--hosts/)
    }))

  it("a data folder with files that are none of ours", () =>
    inTemporaryFolder(async (folder) => {
      writeFileSync(join(folder, "ledger.db"), "something precious, long enough to be no empty database")
      assertPlainRefusal(await lignum(["devnet", "--json", "--data", folder]).ended, /ledger\.db/)
      assert.match(readFileSync(join(folder, "ledger.db"), "utf8"), /^something precious/)
    }))
})
