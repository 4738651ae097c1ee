/**
 * Which tests cite which rule of `docs/protocol.md`. Fails when a rule that is in force has none.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

const filesBelow = (folder: string, suffix: RegExp): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)).filter((file) => suffix.test(file)).sort()

/** Rule IDs in the order of the document, and whether anything enforces them yet. */
const rules = [...readFileSync(join(root, "docs", "protocol.md"), "utf8").matchAll(/^\| ([A-Z]{2}-\d) \| ([^|]+) \|/gm)].map(([, id, state]) => ({
  id: id!,
  open: state!.trim() === "open"
}))

/**
 * Names of tests by file: the texts of `describe`, `it` and their like, names in tables, and forge's test functions, whose names spell
 * CP-1 as CP1.
 */
const namesIn = (file: string): ReadonlyArray<string> => {
  const text = readFileSync(join(root, file), "utf8")
  return file.endsWith(".sol")
    ? [...text.matchAll(/function ((?:test|invariant)\w+)/g)].map(([, name]) => name!)
    : [...text.matchAll(/(?:\b(?:it|describe|layer|virtual|test)\b|\bname:)[^"`\n]*["`]([^"`]+)["`]/g)].map(([, name]) => name!)
}

const tests = [...filesBelow("test", /\.test\.ts$/), ...filesBelow("contracts/test", /\.t\.sol$/)].map((file) => ({ file, names: namesIn(file) }))

/** Whether a test's name cites a rule. */
const cites = (name: string, id: string): boolean =>
  new RegExp(`\\b${id}\\b`).test(name) || new RegExp(`(?:test|_|invariant)(?:Fuzz_)?${id.replace("-", "")}(?!\\d)`).test(name)

let uncited = 0
for (const { id, open } of rules) {
  const citing = tests.flatMap(({ file, names }) => {
    const count = names.filter((name) => cites(name, id)).length
    return count === 0 ? [] : [`${file} (${count})`]
  })
  if (citing.length === 0 && !open) uncited++
  console.log(`${id}  ${citing.length > 0 ? citing.join(", ") : open ? "open: not in force yet" : "NO TEST CITES IT"}`)
}
if (rules.length === 0) throw new Error("docs/protocol.md lists no rules")
if (uncited > 0) console.log(`${uncited} rules that are in force are cited by no test`)
process.exitCode = uncited > 0 ? 1 : 0
