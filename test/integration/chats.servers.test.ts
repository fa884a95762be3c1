import { afterAll } from 'bun:test';
import { createRedisFacts } from '../../src/adapters/redis/facts.ts';
import { createAdmissionRedis } from '../../src/adapters/redis/redis-turn.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { openChatApi } from '../support/chat-api.ts';
import { openTestRedis, patientBreaker } from '../support/redis.ts';
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
  const client = await openTestRedis(servers.redisUrl);
  undo.push(() => client.disconnect());
  return openChatApi({
    database,
    facts: createRedisFacts(
      createAdmissionRedis(client, createMetrics(), patientBreaker()),
      `test-${crypto.randomUUID()}`,
    ),
  });
});
