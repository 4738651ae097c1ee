/**
 * A devnet at a glance, for a terminal: redrawn in place.
 */
import { styleText } from "node:util"
import sliceAnsi from "slice-ansi"
import { ether } from "../domain/Ether.ts"
import type { ChildStatus } from "../node/Supervisor.ts"
import type { RunningProof } from "../roles/ProverPool.ts"
import { furthestPlanner, leavesOf, nameOf, type OperatorPicture, type Picture } from "./Feed.ts"
import { grouped } from "./PlainView.ts"

export interface Frame {
  readonly title: string
  /** Milliseconds since 1970. */
  readonly now: number
  readonly since: number
  readonly columns: number
  /** The newest log lines. */
  readonly log: ReadonlyArray<string>
}

const bold = (text: string) => styleText("bold", text)
const dim = (text: string) => styleText("dim", text)
const green = (text: string) => styleText("green", text)
const yellow = (text: string) => styleText("yellow", text)
const red = (text: string) => styleText("red", text)

const label = (text: string) => dim(text.padEnd(9))

const clock = (milliseconds: number): string => {
  const seconds = Math.floor(milliseconds / 1000)
  return `${Math.floor(seconds / 60).toString().padStart(2, "0")}:${(seconds % 60).toString().padStart(2, "0")}`
}

/** The chain in the symbols of the setting: □ waits for a proof, ▣ is proven, ■ is settled; ☑ marks checkpoints. */
const chainLines = (picture: Picture, columns: number): ReadonlyArray<string> => {
  const planner = furthestPlanner(picture)
  const tip = planner?.tip.number ?? 0
  const proven = planner?.provenTo.number ?? 0
  const cell = (number: number) => {
    const square = number <= tip ? green("■") : number <= proven ? yellow("▣") : "□"
    return `${square}${picture.checkpoints.has(number) ? "☑" : " "}${dim(String(number).padEnd(4))}`
  }
  const fit = Math.max(1, Math.floor((columns - 11) / 7))
  return [`${label("chain")} ${picture.blocks.slice(-fit).map(({ number }) => cell(number)).join(" ")}`]
}

const bar = (fraction: number): string => {
  const width = 24
  const full = Math.round(fraction * width)
  return green("█".repeat(full)) + dim("░".repeat(width - full))
}

/** Says whose it is where there are several. */
const whose = ({ operators }: Picture, { name }: OperatorPicture): string => operators.length > 1 ? `${name.padEnd(9)} ` : ""

/** @param onHost whether there are several hosts, so that it says which */
const provingLine = (proof: RunningProof, onHost: boolean, now: number): string =>
  `${onHost ? `${proof.host.padEnd(12)} ` : ""}${`${proof.kind} ${proof.block}`.padEnd(13)} ${bar(proof.fraction)} ${`${Math.floor(proof.fraction * 100)}`.padStart(3)} %  ` +
  `${proof.stage.padEnd(22).slice(0, 22)} ${((now - proof.since) / 1000).toFixed(1).padStart(5)} s`

const provingLines = (picture: Picture, now: number): ReadonlyArray<string> =>
  picture.operators.flatMap((operator) => {
    const { planner, pool } = operator
    if (pool === undefined) return [`${whose(picture, operator)}${dim("starting")}`]
    const lines = pool.running.map((proof) => provingLine(proof, pool.hosts.length > 1, now))
    const free = pool.capacity - Math.min(pool.capacity, pool.running.length)
    const idle = pool.idle === null ? [] : [dim(`${free} of ${pool.capacity} workers idle: ${planner?.idle ?? pool.idle}`)]
    const alarm = pool.alarm === null ? [] : [red(pool.alarm)]
    return [...lines, ...idle, ...alarm].map((line) => `${whose(picture, operator)}${line}`)
  }).map((line, i) => `${label(i === 0 ? "proving" : "")} ${line}`)

const settlerLines = (picture: Picture): ReadonlyArray<string> =>
  picture.operators.map((operator, i) =>
    `${label(i === 0 ? "settler" : "")} ${whose(picture, operator)}${operator.settler?.activity ?? dim("starting")}`)

const updateLines = (picture: Picture): ReadonlyArray<string> =>
  picture.updates.length === 0
    ? [`${label("updates")} ${dim("none yet")}`]
    : picture.updates.slice(-5).map((update, i) =>
      `${label(i === 0 ? "updates" : "")} ${green("■")} ${`${update.from} → ${update.to}`.padEnd(10)} ${grouped(update.gasUsed).padStart(9)} gas  ` +
      (update.endIsCheckpoint ? `END = checkpoint ${update.continuedBy}` : `END ⇢ checkpoint ${update.continuedBy}`).padEnd(22) +
      (picture.operators.length > 1 ? ` leaves ${leavesOf(picture, update)}, by ${nameOf(picture, update.submitter)}` : dim(` ${update.txHash.slice(0, 12)}…`))
    )

const moneyLines = (picture: Picture): ReadonlyArray<string> => {
  const audits = picture.operators.flatMap(({ audit }) => audit ?? [])
  const [audit] = audits
  const price = picture.operators[0]?.price
  if (audit === undefined) return [`${label("rewards")} ${dim("none yet")}`]
  const accounts = audit.accounts.map(({ account, claimed, credited }) => `${nameOf(picture, account)} ${bold(ether(credited - claimed))}`)
  const alarms = audits.flatMap((each) => each.alarms)
  const verdict = alarms.length === 0
    ? green(`audited to L1 block ${audit.l1Block}`)
    : red(`${alarms.length} differences: ${alarms[0]}`)
  return [
    `${label("rewards")} ${accounts.join("  ") || dim("none yet")}  ${verdict}`,
    `${label("vault")} reserves ${ether(audit.redundancyReserve + audit.protocolReserve)}, unallocated ${ether(audit.unallocated)}` +
    (price === undefined ? "" : `, prover price ${grouped(price.price)} wei/gas`)
  ]
}

const childMark = ({ name, restarts, state }: ChildStatus): string =>
  `${state === "running" ? green("●") : yellow("○")} ${name}${restarts > 0 ? yellow(` ↻${restarts}`) : ""}`

/** With several processes these are shown, and of the roles only those that are not as they should be. */
const roleLines = ({ operators }: Picture): ReadonlyArray<string> => {
  const [only, ...others] = operators
  if (others.length === 0 && only!.hosts.length < 2) return [`${label("roles")} ${only!.roles.map(childMark).join("  ")}`]
  return operators.map(({ exchange, hosts, name, roles }, i) => {
    const running = roles.filter(({ state }) => state === "running").length
    const odd = roles.filter(({ restarts, state }) => state !== "running" || restarts > 0)
    const marks = hosts.length === 0 ? childMark({ name, state: "starting", restarts: 0, lastFailure: null }) : hosts.map(childMark).join("  ")
    return `${label(i === 0 ? "nodes" : "")} ${marks} ` +
      `${dim(`${running} of ${roles.length} roles run, ${exchange?.gossip.peers.length ?? 0} peers`)}${odd.map((role) => `  ${childMark(role)}`).join("")}`
  })
}

/** One frame of the view. */
export const renderFrame = (picture: Picture, frame: Frame): string =>
  [
    `${bold("lignum devnet")}  ${frame.title}  ${dim(clock(frame.now - frame.since))}`,
    "",
    ...chainLines(picture, frame.columns),
    ...provingLines(picture, frame.now),
    ...settlerLines(picture),
    ...updateLines(picture),
    ...moneyLines(picture),
    ...roleLines(picture),
    ...frame.log.map((line) => dim(line)),
    "",
    dim("Ctrl-C stops")
  ].map((line) => sliceAnsi(line, 0, frame.columns)).join("\n")
