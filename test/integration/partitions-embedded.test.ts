import { afterAll, expect, test } from 'bun:test';
import { migrate } from '../../src/db/migrate.ts';
import { emptyPglite } from '../support/pglite.ts';
import { migrateUpTo } from '../support/upgrade.ts';

const database = await emptyPglite();
afterAll(() => database.close());

test('a folder from before has its messages in partitions after the first start, all of them', async () => {
  await migrateUpTo(database, '0009_messages_by_chat');
  const seeded = 6_000;
  await database.query(
    `INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
     SELECT md5((s % 20)::text)::uuid, s / 20 + 1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), s::text, now(), s / 20 + 1
     FROM generate_series(0, $1::int - 1) AS s`,
    [seeded],
  );
  const digest = async () =>
    database.query(
      `SELECT count(*)::int AS rows, md5(string_agg(concat_ws(' ', chat_id, sequence, id, content, sent_at), ',' ORDER BY chat_id, sequence))
         AS digest FROM messages`,
      [],
    );
  const before = await digest();
  expect(await migrate(database)).toContain('0011_messages_partitioned');
  expect(await digest()).toEqual(before);
  expect(before).toMatchObject([{ rows: seeded }]);
  const partitions = await database.query('SELECT FROM messages GROUP BY tableoid', []);
  expect(partitions).toHaveLength(4);
});
