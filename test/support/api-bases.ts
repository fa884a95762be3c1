import { afterAll } from 'bun:test';
import Redis from 'ioredis';
import { migrate } from '../../src/db/migrate.ts';
import { openPglite } from '../../src/db/pglite.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { createEmbeddedFacts } from '../../src/shared/admission/embedded.ts';
import { createRedisFacts } from '../../src/shared/admission/redis.ts';
import { createEmbeddedNotifications } from '../../src/shared/notifications/embedded.ts';
import type { Subscriber } from '../../src/shared/notifications/notifications.ts';
import type { ApiBase } from './api.ts';
import { realServers } from './servers.ts';

export type ObservedBase = ApiBase & { subscriber: Subscriber };

/** At the top of a file: PGlite and what lives in the process. */
export async function embeddedBase(): Promise<ObservedBase> {
  const database = await openPglite();
  afterAll(() => database.close());
  await migrate(database);
  return { database, facts: createEmbeddedFacts(), ...createEmbeddedNotifications() };
}

/** At the top of a file: PostgreSQL and Redis. */
export async function realBase(): Promise<ObservedBase> {
  const servers = await realServers();
  const database = openPostgres({ url: await servers.createDatabase(), applicationName: 'confab-test' });
  const client = new Redis(servers.redisUrl, { enableAutoPipelining: true });
  afterAll(async () => {
    client.disconnect();
    await database.close();
  });
  await migrate(database);
  const facts = createRedisFacts(client, `test-${crypto.randomUUID()}`);
  return { database, facts, ...createEmbeddedNotifications() };
}
