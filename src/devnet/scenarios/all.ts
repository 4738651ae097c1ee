/** Every scenario, by name. */
import { copycat } from "./copycat.ts"
import { costShock } from "./costShock.ts"
import { fallback } from "./fallback.ts"
import { hostChaos } from "./hostChaos.ts"
import { hostLoss } from "./hostLoss.ts"
import { redundancy } from "./redundancy.ts"
import { reorg } from "./reorg.ts"
import { rollingRestart } from "./rollingRestart.ts"
import type { Scenario } from "./Scenario.ts"
import type { ScenarioName } from "./summaries.ts"
import { unprovable } from "./unprovable.ts"

export const scenarios: Readonly<Record<ScenarioName, Scenario>> = {
  fallback,
  redundancy,
  copycat,
  unprovable,
  "cost-shock": costShock,
  reorg,
  "host-loss": hostLoss,
  "rolling-restart": rollingRestart,
  "host-chaos": hostChaos
}
