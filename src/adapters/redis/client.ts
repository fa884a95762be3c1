import { Redis } from 'ioredis';
import { fullJitterMs } from '../../shared/backoff.ts';
import type { RedisConfig } from '../../shared/config.ts';

/** No command is waited for longer. */
const commandTimeoutMs = 1_000;
const connectTimeoutMs = 4_000;
const mostRetryMs = 1_000;
/**
 * A connection that owes an answer and brings nothing for so long is given up. A command's own deadline does not do it: by that
 * alone a Redis that had gone silent was never noticed (150 s), and every command that nobody waited for any more was kept.
 */
const silentAfterMs = 5_000;
/** How long a connection that is given up may take to end in good order; a silent one never does. */
const disconnectTimeoutMs = 500;

/**
 * Connects at once and again after every loss. A command that cannot be written fails at once, one that is not answered
 * fails soon, and none is sent twice: whoever asks knows what to do without Redis. Whoever opens it listens to its errors
 * (`redis-watch.ts`).
 */
export function openRedis(redis: RedisConfig): Redis {
  return new Redis({
    host: redis.host,
    port: redis.port,
    ...(redis.password === undefined ? {} : { password: redis.password }),
    db: redis.db,
    connectionName: 'confab-commands',
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: disconnectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    socketTimeout: silentAfterMs,
    maxLoadingRetryTime: mostRetryMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    enableAutoPipelining: true,
    retryStrategy: (attempt) => 50 + fullJitterMs(attempt, 50, mostRetryMs),
  });
}
