import { Redis } from 'ioredis';
import { fullJitterMs } from './backoff.ts';
import type { RedisConfig } from './config.ts';
import { withDeadline } from './deadline.ts';
import type { Logger } from './log.ts';

/** No command is waited for longer. */
const commandTimeoutMs = 1_000;
const connectTimeoutMs = 4_000;
const mostRetryMs = 1_000;

/**
 * Connects at once and again after every loss. A command that cannot be written fails at once, one that is not answered
 * fails soon, and none is sent twice: whoever asks knows what to do without Redis.
 */
export function openRedis({ redis, log }: { redis: RedisConfig; log: Logger }): Redis {
  const client = new Redis({
    host: redis.host,
    port: redis.port,
    ...(redis.password === undefined ? {} : { password: redis.password }),
    db: redis.db,
    connectionName: 'confab-commands',
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    enableAutoPipelining: true,
    retryStrategy: (attempt) => 50 + fullJitterMs(attempt, 50, mostRetryMs),
  });

  let away = false;
  client.on('error', (error) => {
    if (!away) log.warn({ err: error, role: 'commands' }, 'Redis is away; trying again');
    away = true;
  });
  client.on('ready', () => {
    if (away) log.info({ role: 'commands' }, 'Redis is back');
    away = false;
  });
  return client;
}

/**
 * Resolves when the client can be used.
 * @throws Error when it cannot within `waitMs`; the client goes on trying
 */
export function redisReady(client: Redis, waitMs: number): Promise<void> {
  if (client.status === 'ready') return Promise.resolve();
  const ready = new Promise<void>((resolve) => {
    client.once('ready', () => resolve());
  });
  return withDeadline(ready, waitMs, () => new Error(`Redis was not ready within ${waitMs} ms`));
}
