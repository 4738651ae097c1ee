/**
 * The scenarios by name, in the order in which they are played: what happens, and what must come of it, in a sentence.
 */
export const scenarioSummaries = {
  fallback: "no prover races, so that the race runs out: the update comes in its holder's turn, who is credited the submission share and the bounty",
  redundancy: "two provers prove everything themselves: one wins the race, and the other's own proof of the same blocks is paid the redundancy share",
  copycat: "the turn-holder brings the winner's leaves as its redundant proof: L1 reverts it, it earns zero, and the share lapses to the protocol reserve",
  unprovable: "consensus makes a block that no proof satisfies: provers quarantine it, it is reverted once the deadline has passed, its transfers come again, and updates go on beyond",
  "cost-shock": "proving costs five times as much from one moment to the next: cheap blocks stay unproven until backlog and flags raise the price and age adds a bonus, and nothing is reverted",
  reorg: "L1 takes its five newest blocks back, a checkpoint and an update with them: every node goes back to the fork, and all is settled again, once",
  "host-loss": "one operator on three hosts: the one that proves a block and the one that has the settler are killed; others go on with both, nothing is lost, nothing comes twice",
  "rolling-restart": "one operator on three hosts, each of which is stopped in its work and started again in turn: what runs is finished or handed over, nothing is lost or proven twice",
  "host-chaos": "one operator on three hosts: the host of the settler freezes and goes on, hosts are killed and stopped in their work, the database crashes; updates come all the same, nothing is lost, nothing comes twice"
} as const

export type ScenarioName = keyof typeof scenarioSummaries

export const scenarioNames = Object.keys(scenarioSummaries) as ReadonlyArray<ScenarioName>
