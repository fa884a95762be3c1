import { afterAll } from 'bun:test';
import { createRedisRateLimits } from '../../src/adapters/redis/rate-limits.ts';
import { realBase } from '../support/api-bases.ts';
import { openTestAdmission, patientBreaker } from '../support/redis.ts';
import { realServers } from '../support/servers.ts';
import { logInLimitsSuite } from './log-in-limits.ts';

const client = openTestAdmission((await realServers()).redisUrl);
afterAll(() => client.close());
await client.ready(5_000);

logInLimitsSuite('PostgreSQL and Redis', await realBase(), async (limits) =>
  createRedisRateLimits(
    client,
    `test-${crypto.randomUUID()}`,
    limits,
    'a secret of this test',
    patientBreaker(),
  ),
);
