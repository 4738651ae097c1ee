/**
 * What a host of an operator is told about itself.
 */
import { type Redacted, Runtime, Schema } from "effect"
import type { ClusterConfig, ProvingConfig } from "../node/NodeConfig.ts"

/** What is a host's own. */
export interface HostSettings extends Pick<ClusterConfig, "name" | "listen" | "roles" | "cores" | "memory" | "sizes" | "drainWithin"> {
  readonly database: Redacted.Redacted<string>
  /** The host that others reach it by, where that is not the one that it listens at. */
  readonly advertise?: string | undefined
  /** Folder in which it says where it listens, for as long as it runs; nowhere if not given. */
  readonly data: string | undefined
  readonly proving: Omit<typeof ProvingConfig.Type, "bigFrom">
  /** File of the key of the operator's L1 account, which control roles need. */
  readonly l1KeyFile: string | undefined
}

/** A host cannot be what it is told to be. Nothing was changed; the message says what to do about it. */
export class HostUnfit extends Schema.TaggedError<HostUnfit>()("HostUnfit", { reason: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 2

  override get message() {
    return this.reason
  }
}
