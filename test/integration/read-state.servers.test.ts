import { afterAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { createRedisFacts } from '../../src/adapters/redis/facts.ts';
import { createAdmissionRedis } from '../../src/adapters/redis/redis-turn.ts';
import { createChangeMembership } from '../../src/chat/change-membership.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import type { Membership } from '../../src/shared/contract.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { openChatApi } from '../support/chat-api.ts';
import { openTestRedis, patientBreaker } from '../support/redis.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';
import { readStateSuite } from './read-state.ts';
import { typingPresenceSuite } from './typing-presence.ts';

const servers = await realServers();
const undo: (() => unknown)[] = [];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

const url = await servers.createDatabase();

for (const suite of [readStateSuite, typingPresenceSuite]) suite('PostgreSQL and Redis', openApi);

async function openApi() {
  const database = openPostgres({ url, applicationName: 'read-state-test' });
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
}

test('who holds the row of one reader keeps nobody else waiting, and that one reads when it is free', async () => {
  const database = openPostgres({ url: await servers.createDatabase(), applicationName: 'read-state-test' });
  undo.push(() => database.close());
  await migrate(database);
  const [chatId, held, ...others] = Array.from({ length: 12 }, () => crypto.randomUUID());
  await database.query(`INSERT INTO users (id, display_name) SELECT unnest($1::uuid[]), 'Somebody'`, [
    [held, ...others],
  ]);
  await database.query(
    'INSERT INTO chats (id, is_group, last_sequence, last_event_sequence) VALUES ($1::uuid, true, 5, 16)',
    [chatId],
  );
  await database.query(
    `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence, last_read_sequence)
     SELECT $1::uuid, unnest($2::uuid[]), 'member', 1, 1, 0`,
    [chatId, [held, ...others]],
  );
  const { markRead } = createChangeMembership({ database, announce: async () => {}, liveMax: 100 });
  const read = (userId: string) => markRead({ userId, chatId: chatId!, sequence: 3 });
  let reading: Promise<Membership> | undefined;
  await database.orm.transaction(async (tx) => {
    await tx.execute(
      sql`SELECT FROM chat_participants WHERE chat_id = ${chatId} AND user_id = ${held} FOR UPDATE`,
    );
    reading = read(held!);
    // One alone, too: it does not stand behind the held one.
    const began = runningMs();
    await read(others[0]!);
    expect(runningMs() - began).toBeLessThan(550);
    const answers = await Promise.all(others.map(read));
    expect(answers.map(({ lastReadSequence }) => lastReadSequence)).toEqual(others.map(() => 3));
  });
  expect((await reading)?.lastReadSequence).toBe(3);
}, 30_000);

test('who holds a chat keeps no reader waiting', async () => {
  const database = openPostgres({ url: await servers.createDatabase(), applicationName: 'read-state-test' });
  undo.push(() => database.close());
  await migrate(database);
  const [chatId, userId] = [crypto.randomUUID(), crypto.randomUUID()];
  await database.query(`INSERT INTO users (id, display_name) VALUES ($1::uuid, 'Somebody')`, [userId]);
  await database.query(
    'INSERT INTO chats (id, is_group, last_sequence, last_event_sequence) VALUES ($1::uuid, true, 5, 6)',
    [chatId],
  );
  await database.query(
    `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence, last_read_sequence)
     VALUES ($1::uuid, $2::uuid, 'member', 1, 1, 0)`,
    [chatId, userId],
  );
  const own = createChangeMembership({ database, announce: async () => {}, liveMax: 100 });
  await database.orm.transaction(async (tx) => {
    await tx.execute(sql`SELECT FROM chats WHERE id = ${chatId} FOR UPDATE`);
    expect(await own.markRead({ userId, chatId, sequence: 3 })).toMatchObject({ lastReadSequence: 3 });
    expect(await own.markUnread({ userId, chatId, sequence: 2 })).toMatchObject({ lastReadSequence: 1 });
    expect(await own.set({ userId, chatId, settings: { pinned: true } })).toMatchObject({
      lastReadSequence: 1,
    });
  });
}, 30_000);
