/**
 * A rollup's ledger in another process, and what serves it there. To a reader it is the ledger itself: calls wait for a connection, and
 * a stream that lost its own goes on where it stood.
 *
 * What the ledger replaced meanwhile (CP-4) is found out by asking for the blocks that the stream had given: it goes on behind the
 * newest one that the ledger still has. Each item's parent is held against the one before it as well, so that a stream in which
 * something is missing is not believed, and resumed.
 */
import { Context, Effect, Layer, Option, Schedule, Stream } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber } from "../domain/Amount.ts"
import { Block } from "../domain/Block.ts"
import { BlockWitness } from "../domain/BlockWitness.ts"
import { CertifiedCheckpoint } from "../domain/Checkpoint.ts"
import type { BlockHash } from "../domain/Hash.ts"
import { connectService, reconnect, type RoleShape, serveRole, ServiceLost } from "../rpc/RoleService.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { LedgerSource, LedgerUnavailable } from "./LedgerSource.ts"

/** {@link LedgerSource} over a wire. */
export const LedgerRpcs = RpcGroup.make(
  Rpc.make("genesis", { success: Block }),
  Rpc.make("blocks", { payload: { from: BlockNumber }, success: Block, error: LedgerUnavailable, stream: true }),
  Rpc.make("witness", { payload: { number: BlockNumber }, success: BlockWitness, error: LedgerUnavailable }),
  Rpc.make("checkpoints", { payload: { after: BlockNumber }, success: CertifiedCheckpoint, error: LedgerUnavailable, stream: true })
)

class ServedLedger extends Context.Service<ServedLedger, RoleShape<typeof LedgerRpcs>>()("lignum/ServedLedger") {}

/** Serves the ledger to whoever can connect to the transport, until the scope closes. */
export const serve: Layer.Layer<never, never, LedgerSource | RoleTransport> = serveRole("ledger", LedgerRpcs, ServedLedger).pipe(
  Layer.provide(Layer.effect(
    ServedLedger,
    Effect.map(LedgerSource, (ledger) => ({
      genesis: () => ledger.genesis,
      blocks: ({ from }) => ledger.blocks(from),
      witness: ({ number }) => ledger.witness(number),
      checkpoints: ({ after }) => ledger.checkpoints(after)
    }))
  ))
)

/** How many of the items that it gave a stream remembers: no more may be replaced while its connection is lost. */
const remembered = 65_536

/** An item of a stream, as far as it must be recognised again. */
interface Link {
  readonly number: number
  /** The block that it is, or that it is a checkpoint of. */
  readonly hash: BlockHash
  /** What the next one names as its parent. */
  readonly id: string
}

/** An item with what it names as its parent, and the item before it where that is known by itself. */
type LinkOf<A> = (item: A) => { readonly link: Link; readonly parent: string; readonly before: Link | undefined }

const blockLink: LinkOf<Block> = ({ header: { hash, number, parentHash } }) => ({
  link: { number, hash, id: hash },
  parent: parentHash,
  before: number === 0 ? undefined : { number: number - 1, hash: parentHash, id: parentHash }
})

const checkpointLink: LinkOf<CertifiedCheckpoint> = ({ checkpoint: { blockHash, id, number, parent } }) => ({
  link: { number, hash: blockHash, id },
  parent,
  before: undefined
})

/** What a stream has given and nothing has replaced, oldest first; where it is known, what comes before the first of it. */
class Given {
  private links: Array<Link> = []
  /** Whether older links were dropped. */
  private forgot = false

  /** Takes an item in, unless it was given already. It fails where the one before the item is missing: then something was lost. */
  take<A>(item: A, linkOf: LinkOf<A>): Effect.Effect<Option.Option<A>, ServiceLost> {
    const { before, link, parent } = linkOf(item)
    const { links } = this
    let kept = links.length
    while (kept > 0 && links[kept - 1]!.number >= link.number) kept--
    const last = links[kept - 1]
    const same = links[kept]
    if (same?.number === link.number && same.hash === link.hash) return Effect.succeedNone
    if (last !== undefined && last.id !== parent) return Effect.fail(new ServiceLost())
    if (links.length === 0 && before !== undefined) links.push(before)
    else links.length = kept
    links.push(link)
    if (links.length > 2 * remembered) {
      links.splice(0, remembered)
      this.forgot = true
    }
    return Effect.succeed(Option.some(item))
  }

  /**
   * Number of the newest link that the ledger still has, which it is to be asked for again. Where it has none, what was given first;
   * `otherwise` where nothing was.
   */
  resumeAt = Effect.fnUntraced(function*(
    this: Given,
    has: (link: Link) => Effect.Effect<boolean>,
    otherwise: number
  ): Effect.fn.Return<number, LedgerUnavailable> {
    const { forgot, links } = this
    const newest = links[links.length - 1]
    if (newest === undefined) return otherwise
    if (yield* has(newest)) return newest.number
    // A ledger that has one has all before it.
    let [kept, gone] = [-1, links.length - 1]
    while (gone - kept > 1) {
      const middle = (kept + gone) >> 1
      if (yield* has(links[middle]!)) kept = middle
      else gone = middle
    }
    if (kept < 0 && forgot) {
      return yield* new LedgerUnavailable({
        number: BlockNumber.make(links[0]!.number),
        reason: `more than ${remembered} blocks were replaced while the connection was lost; begin a new stream behind the proven tip`
      })
    }
    return links[Math.max(kept, 0)]!.number
  })
}

/**
 * The ledger that is served on the transport. Two things differ from one in this process: a missed rebuild that went back behind where
 * a stream began is told from there on; and a stream that missed more than {@link remembered} replaced blocks fails.
 */
export const layer: Layer.Layer<LedgerSource, never, RoleTransport> = Layer.effect(
  LedgerSource,
  Effect.gen(function*() {
    const client = yield* connectService("ledger", LedgerRpcs)

    /** Whether the ledger has a block at this moment. */
    const has = ({ hash, number }: Link): Effect.Effect<boolean> =>
      number === 0
        ? Effect.map(client.genesis(), ({ header }) => header.hash === hash)
        : client.witness({ number: BlockNumber.make(number) }).pipe(
          Effect.map(({ block }) => block.header.hash === hash),
          Effect.catchTag("LedgerUnavailable", () => Effect.succeed(false))
        )

    /** A stream without an end over as many connections as it takes, from a number on. */
    const follow = <A>(
      first: number,
      open: (from: number) => Stream.Stream<A, LedgerUnavailable | ServiceLost>,
      linkOf: LinkOf<A>
    ): Stream.Stream<A, LedgerUnavailable> =>
      Stream.suspend(() => {
        const given = new Given()
        return Stream.unwrap(Effect.map(given.resumeAt(has, first), open)).pipe(
          Stream.mapEffect((item) => given.take(item, linkOf)),
          Stream.filter(Option.isSome),
          Stream.map(({ value }) => value),
          Stream.retry(reconnect.pipe(Schedule.while(({ input }) => Effect.succeed(input instanceof ServiceLost))))
        ) as Stream.Stream<A, LedgerUnavailable>
      })

    return LedgerSource.of({
      genesis: client.genesis(),
      blocks: (from) => follow(from, (next) => client.blocks({ from: BlockNumber.make(next) }), blockLink),
      witness: (number) => client.witness({ number }),
      checkpoints: (after) => follow(after + 1, (next) => client.checkpoints({ after: BlockNumber.make(next - 1) }), checkpointLink)
    })
  })
)
