import type { Logger } from '../shared/log.ts';
import type { Subscriber, Topic } from '../shared/ports/notifications.ts';

/** How long a connect waits for Redis. */
const patienceMs = 2_000;

/**
 * Resolves when the topics are acknowledged, or when Redis does not answer: sockets are let in without it. The subscriber
 * goes on trying, and its reconnect is when everything local is compared with PostgreSQL.
 */
export async function subscribeWithin(
  subscriber: Subscriber,
  topics: readonly Topic[],
  log: Logger,
): Promise<void> {
  const acknowledged = subscriber.subscribe(topics).catch((error) => {
    log.warn({ err: error, topics: topics.length }, 'subscribing failed');
  });
  if (!subscriber.ready()) return;
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    log.warn({ topics: topics.length }, 'Redis has not acknowledged a subscription');
    resolve();
  }, patienceMs);
  await Promise.race([acknowledged, late]);
  clearTimeout(timer);
}
