import { afterAll } from 'bun:test';
import { createEmbeddedFacts } from '../../src/adapters/embedded/admission.ts';
import { createEmbeddedNotifications } from '../../src/adapters/embedded/notifications.ts';
import { createEmbeddedPresence } from '../../src/adapters/embedded/presence.ts';
import { createRedisFacts } from '../../src/adapters/redis/facts.ts';
import { createNotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import { createRedisNotifier } from '../../src/adapters/redis/notifier.ts';
import { createAdmissionRedis } from '../../src/adapters/redis/redis-turn.ts';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { notificationKey } from '../../src/db/settings.ts';
import type { Subscriber } from '../../src/shared/ports/notifications.ts';
import type { Presence } from '../../src/shared/ports/presence.ts';
import type { ApiBase } from './api.ts';
import { migratedPglite } from './pglite.ts';
import { openTestRedis, openTestSubscriber, patientBreaker, redisConfigOf } from './redis.ts';
import { realServers } from './servers.ts';

export type ObservedBase = ApiBase & { subscriber: Subscriber };

/** At the top of a file: PGlite. */
export async function embeddedDatabase(): Promise<Database> {
  const database = await migratedPglite();
  afterAll(() => database.close());
  return database;
}

export type EmbeddedBase = ObservedBase & { presence: Presence };

/** At the top of a file: PGlite and what lives in the process. */
export async function embeddedBase(): Promise<EmbeddedBase> {
  const database = await embeddedDatabase();
  const [facts, presence] = [createEmbeddedFacts(), createEmbeddedPresence()];
  return { database, facts, presence, ...createEmbeddedNotifications() };
}

/** At the top of a file: PostgreSQL and Redis, the shared ones unless others are given. */
export async function realBase(given?: { databaseUrl: string; redisUrl: string }): Promise<ObservedBase> {
  const { databaseUrl, redisUrl } = given ?? (await sharedUrls());
  const database = openPostgres({ url: databaseUrl, applicationName: 'confab-test' });
  const commands = await openTestRedis(redisUrl);
  const prefix = `test-${crypto.randomUUID()}`;
  await migrate(database);
  const codec = createNotificationCodec(await notificationKey(database));
  const { subscriber, close } = await openTestSubscriber(redisConfigOf(redisUrl), {
    commands,
    prefix,
    codec,
  });
  await subscriber.becomeReady(5_000);
  afterAll(async () => {
    close();
    commands.disconnect();
    await database.close();
  });
  const facts = createRedisFacts(createAdmissionRedis(commands, patientBreaker()), prefix);
  return { database, facts, notifier: createRedisNotifier(commands, prefix, codec), subscriber };
}

async function sharedUrls(): Promise<{ databaseUrl: string; redisUrl: string }> {
  const servers = await realServers();
  return { databaseUrl: await servers.createDatabase(), redisUrl: servers.redisUrl };
}
