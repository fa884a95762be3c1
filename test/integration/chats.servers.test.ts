import { afterAll } from 'bun:test';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { createRedisFacts } from '../../src/shared/admission/redis.ts';
import { createLog } from '../../src/shared/log.ts';
import { openRedis, redisReady } from '../../src/shared/redis.ts';
import { openChatApi } from '../support/chat-api.ts';
import { realServers } from '../support/servers.ts';
import { chatsSuite } from './chats.ts';

const servers = await realServers();
const undo: (() => unknown)[] = [];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

chatsSuite('PostgreSQL and Redis', async () => {
  const database = openPostgres({ url: await servers.createDatabase(), applicationName: 'chats-test' });
  undo.push(() => database.close());
  await migrate(database);
  const { hostname, port } = new URL(servers.redisUrl);
  const client = openRedis({
    redis: { host: hostname, port: Number(port), password: undefined, db: 0 },
    log: createLog({ logLevel: 'silent' }, 'test'),
  });
  undo.push(() => client.disconnect());
  await redisReady(client, 5_000);
  return openChatApi({ database, facts: createRedisFacts(client, `test-${crypto.randomUUID()}`) });
});
