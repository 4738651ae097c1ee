/**
 * A node as a whole, for those who may ask it: how its roles are, and what it has done.
 */
import { Context, Effect, type Layer, Schema, Stream } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber, ProverPrice } from "../domain/Amount.ts"
import { BlockRef } from "../domain/Block.ts"
import { Address, ProofId } from "../domain/Hash.ts"
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

/** What a node has done since its store was made. */
export class NodeRecord extends Schema.Class<NodeRecord>("lignum/NodeRecord")({
  account: Address,
  /** Blocks that it has proven itself. */
  blocksProven: Schema.Int,
  /** Whether it finished a job twice. Never, or something is badly wrong (ND-3). */
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

const doneTwice = (attempts: ReadonlyArray<{ readonly job: string; readonly outcome: string }>): boolean => {
  const done = attempts.filter(({ outcome }) => outcome === "done").map(({ job }) => job)
  return new Set(done).size < done.length
}

export class NodeService extends Context.Service<NodeService, RoleShape<typeof NodeRpcs>>()("lignum/NodeService") {
  /** A node in another process. */
  static readonly layerRemote: Layer.Layer<NodeService, never, RoleTransport> = connectRole("node", NodeRpcs, NodeService)

  static readonly make = (account: Address, supervisor: Supervisor, costs: Costs): Effect.Effect<NodeService["Service"], never, Store> =>
    Effect.map(Store, (store) => ({
      changes: () => Stream.map(supervisor.changes, (roles) => new NodeView({ account, roles })),
      record: () =>
        Effect.gen(function*() {
          return new NodeRecord({ account, blocksProven: yield* store.blocksProven(account), provedTwice: doneTwice(yield* store.attempts) })
        }),
      proofs: ({ beyond }) =>
        Effect.map(store.proofsBeyond(beyond), (proofs) =>
          proofs.map(({ id, statement: { from, leaves, to } }) => ({ id, from, to, provers: leaves.map(({ prover }) => prover) }))),
      reprice: ({ price }) =>
        Effect.sync(() => {
          costs.reservationPrice = price
          costs.provingCost = price
        })
    }))
}
