import { fullJitterMs } from '../../shared/backoff.ts';
import type { RedisConfig } from '../../shared/config.ts';
import { createDeadline, withDeadline } from '../../shared/deadline.ts';
import type { RedisOutages } from './outages.ts';
import { connectForPushes, type PushConnection } from './push-connection.ts';

export interface PushListener {
  /** A new connection, on which nothing is subscribed. */
  up(connection: PushConnection): void;
  message(channel: string, payload: string): void;
  down(): void;
}

/** Connections to Redis that subscribe, one after the other. */
export interface PushLink {
  /** The one listener; a connection that is there already is told at once. @returns what ends it */
  listen(listener: PushListener): () => void;
  /** Resolves when there is a connection. @throws Error when there is none within `waitMs`; it goes on trying */
  ready(waitMs: number): Promise<void>;
  close(): void;
}

export interface PushLinkTimes {
  /** TCP and the answer to the greeting. */
  connectTimeoutMs: number;
  /** Thousands of channels are subscribed at once. */
  acknowledgeTimeoutMs: number;
}

const defaultTimes: PushLinkTimes = { connectTimeoutMs: 4_000, acknowledgeTimeoutMs: 5_000 };
const mostRetryMs = 1_000;

/**
 * Connects at once and again after every loss, for ever. What is subscribed is lost with a connection: only after the
 * acknowledgement of a new subscription is it known what may have been missed (`createRedisSubscriber`).
 */
export function openPushLink({
  redis,
  outages,
  times: { connectTimeoutMs, acknowledgeTimeoutMs } = defaultTimes,
}: {
  redis: RedisConfig;
  outages: RedisOutages;
  times?: PushLinkTimes;
}): PushLink {
  const within = createDeadline(acknowledgeTimeoutMs);
  let listener: PushListener | undefined;
  let latest: PushConnection | undefined;
  /** The latest, while it is greeted. */
  let current: PushConnection | undefined;
  let connected = Promise.withResolvers<void>();
  let closed = false;
  let failures = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;

  function connect(): void {
    const connection = connectForPushes(
      { redis, connectTimeoutMs, within },
      {
        greeted() {
          outages.back('subscriber');
          failures = 0;
          current = connection;
          connected.resolve();
          listener?.up(connection);
        },
        message: (channel, payload) => listener?.message(channel, payload),
        lost(reason) {
          // Whoever waits since before the first connection waits on.
          if (current) connected = Promise.withResolvers();
          const was = current;
          current = undefined;
          if (was) listener?.down();
          if (closed) return;
          outages.away('subscriber', reason);
          failures += 1;
          retry = setTimeout(connect, 50 + fullJitterMs(failures, 50, mostRetryMs));
        },
      },
    );
    latest = connection;
  }

  connect();
  return {
    listen(given) {
      listener = given;
      if (current) given.up(current);
      return () => {
        if (listener === given) listener = undefined;
      };
    },
    ready: (waitMs) =>
      withDeadline(connected.promise, waitMs, () => new Error(`Redis was not ready within ${waitMs} ms`)),
    close() {
      closed = true;
      clearTimeout(retry);
      latest?.drop(new Error('closed'));
    },
  };
}
