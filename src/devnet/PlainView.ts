/**
 * A devnet in plain lines, for logs and pipes: one line per thing that happened.
 */
import { ether } from "../domain/Ether.ts"
import { furthestPlanner, leavesOf, nameOf, type News, type OperatorNews, type OperatorPicture, type Picture } from "./Feed.ts"
import type { SettledUpdate } from "./Report.ts"

/** A number with thousands set apart. */
export const grouped = (value: number | bigint): string => value.toString().replace(/\B(?=(\d{3})+$)/g, ",")

/** An update in one line. */
export const updateLine = (update: SettledUpdate): string =>
  `update ${update.from} → ${update.to} settled: ${update.blocks} blocks, ${grouped(update.gasUsed)} gas, ` +
  (update.endIsCheckpoint ? `END is checkpoint ${update.continuedBy}` : `END is an ancestor of checkpoint ${update.continuedBy}`)

const signerCount = (signers: bigint): number => [...signers.toString(2)].filter((bit) => bit === "1").length

const operatorLines = (before: Picture, operator: OperatorPicture, news: OperatorNews): ReadonlyArray<string> => {
  switch (news._tag) {
    case "Planner": {
      const known = furthestPlanner(before)?.provenTo.number ?? news.view.tip.number
      return news.view.provenTo.number > known ? [`proven to block ${news.view.provenTo.number}`] : []
    }
    case "Audit": {
      // All operators read the same events: the first one to see a credit tells of it.
      const told = before.operators.some(({ audit }) => audit !== undefined && audit.credited >= news.report.credited)
      return [
        ...(news.report.credited > 0n && !told
          ? news.report.accounts.map(({ account, claimed, credited }) => `${nameOf(before, account)} is owed ${ether(credited - claimed)}`)
          : []),
        ...news.report.alarms.map((alarm) => `ALARM ${operator.name}: ${alarm}`)
      ]
    }
    case "Exchange": {
      const known = new Set(operator.exchange?.gossip.cutOff.map(({ at, id }) => `${id} ${at}`))
      return news.view.gossip.cutOff.filter(({ at, id }) => !known.has(`${id} ${at}`)).map(({ id, reason }) => `${operator.name} cut the peer ${id} off: ${reason}`)
    }
    case "Roles":
      return news.roles.flatMap((role) => {
        const restarts = operator.roles.find(({ name }) => name === role.name)?.restarts ?? 0
        return role.restarts > restarts ? [`the ${role.name} of ${operator.name} is restarted: ${role.lastFailure}`] : []
      })
    default:
      return []
  }
}

/** The lines that a piece of news is worth; `before` is the picture without it. */
export const plainLines = (before: Picture, news: News): ReadonlyArray<string> => {
  switch (news._tag) {
    case "Block": {
      const { header, transfers } = news.block
      const newest = before.blocks[before.blocks.length - 1]?.number ?? 0
      return [
        ...(newest >= header.number ? [`blocks ${header.number} to ${newest} are dropped: consensus goes on from block ${header.number - 1}`] : []),
        `block ${header.number}: ${transfers.length} transfers, prover fees ${ether(header.proverFees)}`
      ]
    }
    case "Checkpoint": {
      const { certificate, checkpoint } = news.event
      return [`checkpoint ${checkpoint.number} is on L1, certified by ${signerCount(certificate.signers)} validators`]
    }
    case "Revert":
      return [`the checkpoints after ${news.event.headNumber} are reverted: they were not proven in time`]
    case "Update":
      return [`${updateLine(news.update)}; by ${nameOf(before, news.update.submitter)}, leaves of ${leavesOf(before, news.update)}`]
    case "Operator":
      return operatorLines(before, before.operators.find(({ account }) => account === news.account)!, news.news)
  }
}
