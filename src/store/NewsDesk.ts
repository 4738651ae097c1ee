/**
 * News within one process: what was heard goes to everybody who listens to its topic.
 */
import { Effect, PubSub, Stream } from "effect"
import { type News, type Topic, topics } from "./Database.ts"

export const makeNewsDesk = Effect.gen(function*() {
  const hubs = new Map<Topic, PubSub.PubSub<string | undefined>>()
  for (const topic of topics) hubs.set(topic, yield* PubSub.unbounded<string | undefined>())
  return {
    tell: (news: ReadonlyArray<News>) => {
      for (const [topic, payload] of news) PubSub.publishUnsafe(hubs.get(topic)!, payload)
    },
    /** Something may have been missed. */
    tellOfGap: () => {
      for (const hub of hubs.values()) PubSub.publishUnsafe(hub, undefined)
    },
    news: (topic: Topic) =>
      Effect.map(PubSub.subscribe(hubs.get(topic)!), (heard) => Stream.concat(Stream.make(undefined), Stream.fromSubscription(heard)))
  }
})
