import type { Redis } from 'ioredis';
import { chunks } from '../../shared/chunks.ts';
import { withDeadline } from '../../shared/deadline.ts';
import { type Metrics, resultsOf } from '../../shared/metrics/metrics.ts';
import type { Notification, Subscriber, Topic } from '../../shared/ports/notifications.ts';
import type { RedisClient } from './client.ts';
import type { NotificationCodec } from './notification-codec.ts';
import type { RedisOutages } from './outages.ts';

/** How often the subscriber says something to itself, and how long it may stay unheard. */
export interface SubscriberTimes {
  heartbeatMs: number;
  deafAfterMs: number;
}

const defaultTimes: SubscriberTimes = { heartbeatMs: 2_000, deafAfterMs: 6_000 };

/** Channels of one command: more would keep Redis from its other clients for more than a millisecond or so. */
const mostChannels = 1_000;

/** What cannot be read, or was not signed by one of us, says at least that there may be something to look at. */
const unreadable: Notification['head'] = { version: 1, kind: 'unknown' };

export interface RedisSubscriber extends Subscriber {
  /** @throws Error when it is not ready within `waitMs`; it goes on trying */
  becomeReady(waitMs: number): Promise<void>;
  /** Ends the heartbeat; the client is closed by whoever opened it. */
  close(): void;
}

/**
 * Subscriptions survive every loss of the connection: all of them are made again, and acknowledged, before anybody is told
 * of the reconnect. A connection that is open and passes nothing on is found by a heartbeat, and dropped. It is published by the client that
 * announcements are, which may be at another server: after a failover, or in a cluster that has fallen apart.
 * @param options.client of role `subscriber`, for this alone
 * @param options.commands of role `commands`
 */
export function createRedisSubscriber({
  client,
  commands,
  prefix,
  codec,
  outages,
  metrics,
  times = defaultTimes,
}: {
  client: Redis;
  commands: RedisClient;
  prefix: string;
  codec: NotificationCodec;
  outages: RedisOutages;
  metrics: Metrics;
  times?: SubscriberTimes;
}): RedisSubscriber {
  const wanted = new Set<Topic>();
  const handlers: ((batch: readonly Notification[]) => void)[] = [];
  const reconnectHandlers: (() => void)[] = [];
  const ownChannel = `${prefix}:heartbeat:${Bun.randomUUIDv7()}`;
  let arrived: Notification[] = [];
  /** Counts them. */
  let connection = 0;
  /** Whether all that is wanted is subscribed on the connection. */
  let up = false;
  /** Resolves when all that is wanted is subscribed on a new connection. */
  let restored = Promise.withResolvers<void>();
  let everUp = false;
  let closed = false;
  let fault: unknown;
  /** Beats that were sent and not heard yet. Not a time: while this process is too busy to listen, it does not beat either. */
  let unheard = 0;
  /** Topics whose subscription may differ from what is wanted, until the end of the tick. */
  let touched = new Set<Topic>();
  let reconciled: Promise<boolean> | undefined;

  let unsigned = 0;
  metrics.read('confab_notifications_total', () => resultsOf({ unsigned }));

  const channelOf = (topic: Topic) => `${prefix}:${topic}`;

  /** What changes in a tick goes in one command: a storm of connects would be a write to Redis each. */
  function reconcile(topics: readonly Topic[]): Promise<boolean> {
    for (const topic of topics) touched.add(topic);
    reconciled ??= new Promise<void>((resolve) => setImmediate(resolve)).then(reconcileNow);
    return reconciled;
  }

  /** @returns whether it is done: not without a connection, on which everything is restored */
  async function reconcileNow(): Promise<boolean> {
    const topics = touched;
    touched = new Set();
    reconciled = undefined;
    if (!up) return false;
    await change(topics.intersection(wanted), topics.difference(wanted));
    return true;
  }

  /** @throws Error when Redis has not acknowledged every channel; the connection is given up */
  async function change(added: ReadonlySet<Topic>, removed: ReadonlySet<Topic>): Promise<void> {
    const on = connection;
    try {
      await Promise.all([
        ...chunks([...added].map(channelOf), mostChannels).map((channels) => client.subscribe(...channels)),
        ...chunks([...removed].map(channelOf), mostChannels).map((channels) =>
          client.unsubscribe(...channels),
        ),
      ]);
    } catch (error) {
      if (on === connection) drop(error);
      throw error;
    }
  }

  function down(reason: unknown): void {
    connection += 1;
    if (up) restored = Promise.withResolvers<void>();
    up = false;
    if (!closed) outages.away('subscriber', reason);
  }

  function drop(reason: unknown): void {
    down(reason);
    client.disconnect(true);
  }

  async function restore(): Promise<void> {
    const on = connection;
    try {
      await client.subscribe(ownChannel);
      // Until nothing was wanted, or given up, while the last commands were under way.
      let subscribed: ReadonlySet<Topic> = new Set();
      for (;;) {
        const [missing, surplus] = [wanted.difference(subscribed), subscribed.difference(wanted)];
        if (missing.size + surplus.size === 0) break;
        subscribed = new Set(wanted);
        await change(missing, surplus);
      }
    } catch (error) {
      if (on === connection) drop(error);
      return;
    }
    if (on !== connection) return;
    up = true;
    fault = undefined;
    unheard = 0;
    outages.back('subscriber');
    restored.resolve();
    // The first time too, if somebody did not wait for it.
    if (everUp || wanted.size > 0) for (const handler of reconnectHandlers) handler();
    everUp = true;
  }

  function handOver(): void {
    const batch = arrived;
    arrived = [];
    for (const handler of handlers) handler(batch);
  }

  function onMessage(channelBytes: Buffer, wire: Buffer): void {
    const channel = channelBytes.toString();
    if (channel === ownChannel) {
      unheard = 0;
      return;
    }
    // Only channels of the prefix are ever subscribed.
    const topic = channel.slice(prefix.length + 1) as Topic;
    const decoded = codec.decode(topic, wire.toString());
    if (!decoded) unsigned += 1;
    const notification = decoded ?? { topic, head: unreadable, body: '' };
    // ioredis tells of all of one read before it returns, so a microtask comes after the last of them.
    if (arrived.push(notification) === 1) queueMicrotask(handOver);
  }

  function beat(): void {
    if (!up) return;
    if (unheard * times.heartbeatMs >= times.deafAfterMs) {
      drop(new Error('the subscriber does not hear itself'));
      return;
    }
    unheard += 1;
    // Asked on this connection, too: one that owes no answer is never found to be silent.
    void Promise.allSettled([client.ping(), commands.publish(ownChannel, '')]).then(([asked, said]) => {
      // What could not be said is not unheard.
      if (asked.status === 'fulfilled' && said.status === 'rejected') unheard = Math.max(0, unheard - 1);
    });
  }

  client.on('messageBuffer', onMessage);
  client.on('ready', restore);
  client.on('error', (error) => {
    fault = error;
  });
  client.on('close', () => down(fault ?? new Error('the connection was closed')));
  if (client.status === 'ready') void restore();
  const timer = setInterval(beat, times.heartbeatMs);

  return {
    async subscribe(topics) {
      for (const topic of topics) wanted.add(topic);
      if (up) {
        // Rejects when the connection is gone: everything is restored on the next one.
        const done = await reconcile(topics).catch(() => false);
        if (done) return;
      }
      await restored.promise;
    },

    async unsubscribe(topics) {
      for (const topic of topics) wanted.delete(topic);
      if (!up) return;
      // What could not be unsubscribed is not wanted after the next reconnect.
      await reconcile(topics).catch(() => {});
    },

    onNotifications(handler) {
      handlers.push(handler);
    },
    onReconnect(handler) {
      reconnectHandlers.push(handler);
    },
    ready: () => up,
    becomeReady: (waitMs) =>
      withDeadline(restored.promise, waitMs, () => new Error(`Redis was not ready within ${waitMs} ms`)),
    close() {
      closed = true;
      clearInterval(timer);
      down(undefined);
    },
  };
}
