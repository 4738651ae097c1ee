/**
 * A node as a whole, for those who may ask it: how its roles are, and what it has done.
 */
import { Context, Effect, type Layer, Schema, Stream } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber, ProverPrice } from "../domain/Amount.ts"
import { BlockRef } from "../domain/Block.ts"
import { Address, ProofId } from "../domain/Hash.ts"
import { type Job, Jobs, JobState } from "../jobs/Jobs.ts"
import { connectRole, type RoleShape } from "../rpc/RoleService.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { Store } from "../store/Store.ts"
import { ChildStatus, type Supervisor } from "./Supervisor.ts"

export class NodeView extends Schema.Class<NodeView>("lignum/NodeView")({
  /** The L1 account that it sends from and is paid to. */
  account: Address,
  /** The roles, in the order in which they are started. */
  roles: Schema.Array(ChildStatus)
}) {}

/** What a node has done. */
export class NodeRecord extends Schema.Class<NodeRecord>("lignum/NodeRecord")({
  account: Address,
  /** Blocks that it has proven itself since its store was made. */
  blocksProven: Schema.Int,
  /** Whether a job that it still knows was finished twice. Never, or something is badly wrong (ND-3). */
  provedTwice: Schema.Boolean
}) {}

/** A proof that a node has verified and kept. */
export const KeptProof = Schema.Struct({
  id: ProofId,
  from: BlockRef,
  to: BlockRef,
  /** The leaf provers, one for each block. */
  provers: Schema.Array(Address)
})
export type KeptProof = typeof KeptProof.Type

export const NodeRpcs = RpcGroup.make(
  /** The present view and every later one. */
  Rpc.make("changes", { success: NodeView, stream: true }),
  Rpc.make("record", { success: NodeRecord }),
  /** Every proof that it keeps and that ends beyond a block: it verified each before (OC-1). */
  Rpc.make("proofs", { payload: { beyond: BlockNumber }, success: Schema.Array(KeptProof) }),
  /** Its work costs something else from now on: it asks that price, and flags below it if it flags at all (OC-3, FM-3). */
  Rpc.make("reprice", { payload: { price: ProverPrice } })
)

/** What an operator's work costs at the moment, in wei per prover gas. */
export interface Costs {
  reservationPrice: ProverPrice
  provingCost: bigint
}

/** Work costs so much from now on. */
export const setCosts = (costs: Costs) => (price: ProverPrice): Effect.Effect<void> =>
  Effect.sync(() => {
    costs.reservationPrice = price
    costs.provingCost = price
  })

const doneTwice = ({ attempts }: Job): boolean => attempts.filter(({ outcome }) => outcome === "done").length > 1
/** More jobs than a node ever keeps. */
const allOfThem = 100_000

export class NodeService extends Context.Service<NodeService, RoleShape<typeof NodeRpcs>>()("lignum/NodeService") {
  /** A node in another process. */
  static readonly layerRemote: Layer.Layer<NodeService, never, RoleTransport> = connectRole("node", NodeRpcs, NodeService)

  static readonly make = (account: Address, supervisor: Pick<Supervisor, "changes">, reprice: (price: ProverPrice) => Effect.Effect<void>): Effect.Effect<NodeService["Service"], never, Store | Jobs> =>
    Effect.map(Effect.all([Store, Jobs]), ([store, jobs]) => ({
      changes: () => Stream.map(supervisor.changes, (roles) => new NodeView({ account, roles })),
      record: () =>
        Effect.gen(function*() {
          const all = yield* jobs.list({ states: JobState.literals, most: allOfThem })
          return new NodeRecord({ account, blocksProven: yield* store.blocksProven(account), provedTwice: all.some(doneTwice) })
        }),
      proofs: ({ beyond }) =>
        Effect.map(store.proofsBeyond(beyond), (proofs) =>
          proofs.map(({ id, statement: { from, leaves, to } }) => ({ id, from, to, provers: leaves.map(({ prover }) => prover) }))),
      reprice: ({ price }) => reprice(price)
    }))
}
