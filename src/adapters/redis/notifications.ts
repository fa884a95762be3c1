import type { Redis } from 'ioredis';
import type { Notification, Notifier, Subscriber, Topic } from '../../shared/ports/notifications.ts';
import type { NotificationCodec } from './notification-codec.ts';
import type { PushConnection } from './push-connection.ts';
import type { PushLink } from './push-link.ts';

/**
 * Channels and payloads in turn. A batch is one command: as a PUBLISH each, ioredis took 8 µs a message, a quarter of all
 * that the worker does for it.
 */
const publishAll = `for at = 1, #ARGV, 2 do redis.call('PUBLISH', ARGV[at], ARGV[at + 1]) end`;

/** More would keep Redis from its other clients for more than a millisecond. */
const mostPublished = 500;

interface PublishingRedis extends Redis {
  publishAll(channelsAndPayloads: string[]): Promise<unknown>;
}

/**
 * One channel a topic, `<prefix>:chat:<id>` and `<prefix>:user:<id>`: Redis sends a gateway only what its own users need.
 * @param client of role `commands`
 */
export function createRedisNotifier(client: Redis, prefix: string, codec: NotificationCodec): Notifier {
  client.defineCommand('publishAll', { numberOfKeys: 0, lua: publishAll });
  const scripted = client as PublishingRedis;

  return {
    async publish(notifications) {
      const sent: Promise<unknown>[] = [];
      for (let at = 0; at < notifications.length; at += mostPublished) {
        const pairs = notifications
          .slice(at, at + mostPublished)
          .flatMap((one) => [`${prefix}:${one.topic}`, codec.encode(one)]);
        sent.push(scripted.publishAll(pairs));
      }
      await Promise.all(sent);
    },
  };
}

/** How often the subscriber says something to itself, and how long it may stay unheard. */
export interface SubscriberTimes {
  heartbeatMs: number;
  deafAfterMs: number;
}

const defaultTimes: SubscriberTimes = { heartbeatMs: 2_000, deafAfterMs: 6_000 };

/** What cannot be read, or was not signed by one of us, says at least that there may be something to look at. */
const unreadable: Notification['head'] = { version: 1, kind: 'unknown' };

export interface RedisSubscriber extends Subscriber {
  /** Ends the heartbeat; the link is closed by whoever opened it. */
  close(): void;
}

/**
 * Subscriptions survive every loss of the connection: all of them are made again, and acknowledged, before anybody is told
 * of the reconnect. A connection that is open and passes nothing on is found by a heartbeat published to itself, and
 * dropped.
 * @param link for this alone
 */
export function createRedisSubscriber(
  link: PushLink,
  prefix: string,
  codec: NotificationCodec,
  times: SubscriberTimes = defaultTimes,
): RedisSubscriber {
  const wanted = new Set<Topic>();
  const handlers: ((batch: readonly Notification[]) => void)[] = [];
  const reconnectHandlers: (() => void)[] = [];
  const ownChannel = `${prefix}:heartbeat:${Bun.randomUUIDv7()}`;
  let arrived: Notification[] = [];
  let connection: PushConnection | undefined;
  /** Whether all that is wanted is subscribed on the connection. */
  let up = false;
  /** Resolves when all that is wanted is subscribed on a new connection. */
  let restored = Promise.withResolvers<void>();
  let everUp = false;
  /** Beats that were sent and not heard yet. Not a time: while this process is too busy to listen, it does not beat either. */
  let unheard = 0;
  /** Topics whose subscription may differ from what is wanted, until the end of the tick. */
  let touched = new Set<Topic>();
  let reconciled: Promise<boolean> | undefined;

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
    if (!up || !connection) return false;
    const unwanted = topics.difference(wanted);
    await Promise.all([
      connection.subscribe([...topics.difference(unwanted)].map(channelOf)),
      connection.unsubscribe([...unwanted].map(channelOf)),
    ]);
    return true;
  }

  function onDown(): void {
    connection = undefined;
    if (!up) return;
    up = false;
    restored = Promise.withResolvers<void>();
  }

  async function restore(on: PushConnection): Promise<void> {
    connection = on;
    try {
      await on.subscribe([ownChannel]);
      // Until nothing was wanted, or given up, while the last commands were under way.
      const subscribed = new Set<Topic>();
      for (;;) {
        const missing = [...wanted.difference(subscribed)];
        const surplus = [...subscribed.difference(wanted)];
        if (missing.length + surplus.length === 0) break;
        for (const topic of missing) subscribed.add(topic);
        for (const topic of surplus) subscribed.delete(topic);
        await Promise.all([on.subscribe(missing.map(channelOf)), on.unsubscribe(surplus.map(channelOf))]);
      }
    } catch {
      // Lost: the next one is restored.
      return;
    }
    if (connection !== on) return;
    up = true;
    unheard = 0;
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

  function onMessage(channel: string, wire: string): void {
    if (channel === ownChannel) {
      unheard = 0;
      return;
    }
    // Only channels of the prefix are ever subscribed.
    const topic = channel.slice(prefix.length + 1) as Topic;
    const notification = codec.decode(topic, wire) ?? { topic, head: unreadable, body: '' };
    // The reader tells of all of one read before it returns, so a microtask comes after the last of them.
    if (arrived.push(notification) === 1) queueMicrotask(handOver);
  }

  function beat(): void {
    if (!up || !connection) return;
    if (unheard * times.heartbeatMs >= times.deafAfterMs) {
      connection.drop(new Error('the subscriber does not hear itself'));
      return;
    }
    unheard += 1;
    connection.publish(ownChannel);
  }

  const endListening = link.listen({ up: restore, message: onMessage, down: onDown });
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
    close() {
      clearInterval(timer);
      endListening();
      connection = undefined;
      up = false;
    },
  };
}
