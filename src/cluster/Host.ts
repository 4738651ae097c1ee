/**
 * A host: one process of an operator's cluster. It has control roles, if it has what they stand on, and proves, if it offers to.
 */
import type { Context, Duration, Effect, Layer, Redacted, Scope } from "effect"
import type { HintSigner } from "../gossip/HintSignature.ts"
import type { ProofGossip } from "../gossip/ProofGossip.ts"
import type { Capabilities } from "../jobs/Jobs.ts"
import type { L1 } from "../l1/L1.ts"
import type { LedgerSource } from "../ledger/LedgerSource.ts"
import type { Roles } from "../node/ProverNode.ts"
import type { RestartLimitReached } from "../node/Supervisor.ts"
import type { ProofSystem } from "../proofs/ProofSystem.ts"
import type { FeeOptions } from "../roles/FeeController.ts"
import type { SettlerOptions } from "../roles/Settler.ts"
import type { Address, ListenFailed, Secret } from "../rpc/SecureSocket.ts"

/** What control roles stand on, beside what all hosts share. */
export type ControlPorts = L1 | LedgerSource | SettlerOptions | FeeOptions

export interface HostOptions<E = never> {
  /** Told from all other hosts of the operator. Who comes with the name of another takes its place. */
  readonly name: string
  /** The operator's Postgres, as `postgres://…`. */
  readonly database: Redacted.Redacted<string>
  /** What all hosts of the operator know, and nobody else. */
  readonly secret: Secret
  /** Port 0 picks a free one. */
  readonly listen: Address
  /** The host that others reach this one by; the one that it listens at, if not given. */
  readonly advertise?: string
  /** Without it, this host has no control roles. */
  readonly control?: {
    readonly ports: Layer.Layer<ControlPorts, E>
    /** The network of other provers, built where the proof exchange is; without it, the operator works alone. */
    readonly gossip?: Layer.Layer<ProofGossip | HintSigner, E>
  }
  /** What it offers to prove with its `ProofSystem`; nothing if not given. */
  readonly proving?: Capabilities
  /** For how long it goes on with what it proves when it is told to stop; then it gives the rest back. */
  readonly drainWithin: Duration.Input
}

export interface Host {
  /** Where others reach it. */
  readonly address: Address
  /** The roles, wherever they are. */
  readonly roles: Context.Context<Roles>
  /** Never ends well: fails when a part of this host failed too often. */
  readonly run: Effect.Effect<never, RestartLimitReached>
}

/** Runs a host until the scope closes; then it hands over what it has, and finishes or gives back what it proves. */
export type StartHost = <E = never>(options: HostOptions<E>) => Effect.Effect<Host, E | ListenFailed, ProofSystem | Scope.Scope>
