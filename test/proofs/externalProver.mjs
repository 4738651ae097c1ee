// A prover with rapidsnark's command line, on snarkjs. A file `mode` beside its wrapper makes it misbehave.
import fs from "node:fs"
import { groth16 } from "snarkjs"

const [mode, zkey, witness, proofFile, publicFile] = process.argv.slice(2)

switch (mode) {
  case "prove": {
    const { proof, publicSignals } = await groth16.prove(zkey, witness)
    const { curve: _, ...asRapidsnark } = proof
    fs.writeFileSync(proofFile, JSON.stringify(asRapidsnark))
    fs.writeFileSync(publicFile, JSON.stringify(publicSignals))
    fs.copyFileSync(proofFile, `${process.env.PROVER_HOME}/last.json`)
    break
  }
  case "fail":
    console.error("out of luck")
    process.exit(7)
  case "silent":
    break
  case "rubbish":
    fs.writeFileSync(proofFile, "{ \"pi_a\": [1, 2] }")
    break
  case "long":
    fs.writeFileSync(proofFile, JSON.stringify({ padding: "x".repeat(1_000_000) }))
    break
  case "replay":
    fs.copyFileSync(`${process.env.PROVER_HOME}/last.json`, proofFile)
    break
  case "hang":
    fs.writeFileSync(`${process.env.PROVER_HOME}/pid`, String(process.pid))
    setInterval(() => {}, 1000)
    break
}
if (mode !== "hang") process.exit(0)
