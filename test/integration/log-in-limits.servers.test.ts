import { afterAll } from 'bun:test';
import { openAdmissionRedis } from '../../src/shared/admission/redis-client.ts';
import { createRedisRateLimits } from '../../src/shared/admission/redis-limits.ts';
import { createLog } from '../../src/shared/log.ts';
import { realBase } from '../support/api-bases.ts';
import { realServers } from '../support/servers.ts';
import { logInLimitsSuite } from './log-in-limits.ts';

const { hostname, port } = new URL((await realServers()).redisUrl);
const client = openAdmissionRedis({
  redis: { host: hostname, port: Number(port), password: undefined, db: 0 },
  log: createLog({ logLevel: 'silent' }, 'test'),
});
afterAll(() => client.close());
await client.ready(5_000);

logInLimitsSuite('PostgreSQL and Redis', await realBase(), async (limits) =>
  createRedisRateLimits(client, `test-${crypto.randomUUID()}`, limits),
);
