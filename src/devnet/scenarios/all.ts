/** Every scenario, in the order in which they are played. */
import { copycat } from "./copycat.ts"
import { costShock } from "./costShock.ts"
import { fallback } from "./fallback.ts"
import { hostChaos } from "./hostChaos.ts"
import { hostLoss } from "./hostLoss.ts"
import { redundancy } from "./redundancy.ts"
import { reorg } from "./reorg.ts"
import { rollingRestart } from "./rollingRestart.ts"
import type { Scenario } from "./Scenario.ts"
import { unprovable } from "./unprovable.ts"

export const scenarios: ReadonlyArray<Scenario> = [fallback, redundancy, copycat, unprovable, costShock, reorg, hostLoss, rollingRestart, hostChaos]
