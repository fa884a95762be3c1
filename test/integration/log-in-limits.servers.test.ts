import { afterAll } from 'bun:test';
import { createRedisRateLimits } from '../../src/adapters/redis/rate-limits.ts';
import { createAdmissionRedis } from '../../src/adapters/redis/redis-turn.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { realBase } from '../support/api-bases.ts';
import { openTestRedis, patientBreaker } from '../support/redis.ts';
import { realServers } from '../support/servers.ts';
import { logInLimitsSuite } from './log-in-limits.ts';

const client = await openTestRedis((await realServers()).redisUrl);
afterAll(() => client.disconnect());

logInLimitsSuite('PostgreSQL and Redis', await realBase(), async (limits) =>
  createRedisRateLimits(
    createAdmissionRedis(client, createMetrics(), patientBreaker()),
    `test-${crypto.randomUUID()}`,
    limits,
    'a secret of this test',
  ),
);
