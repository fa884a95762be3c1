import type { Logger } from '../shared/log.ts';
import { reasonOf } from '../shared/loggable.ts';
import type { Subscriber, Topic } from '../shared/ports/notifications.ts';
import { createRepeats } from '../shared/repeats.ts';

/** How long a connect waits for Redis. */
const patienceMs = 2_000;

/**
 * Resolves when the topics are acknowledged, or when Redis does not answer: sockets are let in without it. The subscriber
 * goes on trying, and its reconnect is when everything local is compared with PostgreSQL.
 */
export type SubscribeWithin = (topics: readonly Topic[]) => Promise<void>;

export function createSubscribeWithin(subscriber: Subscriber, log: Logger): SubscribeWithin {
  /** A storm of connects is a line a second. */
  const repeats = createRepeats();
  const tell = (reason: string) =>
    repeats(reason, (count) => log.warn({ reason, count }, 'Redis has not acknowledged a subscription'));

  return async (topics) => {
    const acknowledged = subscriber.subscribe(topics).catch((error: unknown) => tell(reasonOf(error)));
    if (!subscriber.ready()) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      tell(`no answer within ${patienceMs / 1000} s`);
      resolve();
    }, patienceMs);
    await Promise.race([acknowledged, late]);
    clearTimeout(timer);
  };
}
