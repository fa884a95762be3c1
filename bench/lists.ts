import { chatListStart, listChats, readChat } from '../src/db/queries/chats.ts';
import { joinUnread } from '../src/db/queries/membership-columns.ts';
import { listParticipants, participantsStart } from '../src/db/queries/participants.ts';
import { readUnreadTotals } from '../src/db/queries/unread-totals.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { Bench, BenchPath } from './harness/bench.ts';
import { asConfabConnects, pgbench, statementOf, withValues } from './harness/pgbench.ts';
import { chatId, populate, settleDatabase, userId } from './harness/population.ts';
import { spreadText } from './harness/report.ts';
import type { BenchDatabase } from './harness/servers.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const manyChats = 5_000;
/** In each of them: by somebody else, and then by the one who has sent many. */
const messagesEach = { others: 40, own: 20 };
/** Those of newest activity, with so many messages more, of which every tenth mentions the reader. */
const unread = { chats: 300, messages: 120 };
/** Participants of one chat. */
const crowd = 10_000;
const pageRows = 51;

/** Lists, and what is unread: what PostgreSQL takes for them on one connection. */
export const lists: BenchPath = {
  name: 'lists',
  title: `lists and totals of a user of ${manyChats} chats; a chat of ${crowd} participants; one connection`,
  async run(bench) {
    await ofManyChats(bench);
    await ofManyPeople(bench);
  },
};

/** @param statements by name, with their values in place @returns milliseconds by name, round by round */
async function timesOf(
  { report, servers, rounds, seconds }: Bench,
  database: BenchDatabase,
  title: string,
  statements: Record<string, string>,
): Promise<(name: string) => number[]> {
  const url = asConfabConnects(database.url);
  const contenders = Object.entries(statements).map(([name, script]) => ({
    name,
    run: async () => ({
      ...(await pgbench(servers, url, { script, clients: 1, amount: { seconds: Math.ceil(seconds(1)) } })),
    }),
  }));
  const samples = await alternate(contenders, rounds, report.progress);
  const ms = (name: string) => valuesOf(samples, name, 'latencyMs');
  report.table({
    title,
    columns: ['', 'ms'],
    rows: contenders.map(({ name }) => [name, spreadText(ms(name))]),
  });
  for (const { name } of contenders) report.figure(`${name}, ms`, ms(name));
  return ms;
}

async function ofManyChats(bench: Bench): Promise<void> {
  const { report } = bench;
  report.progress(`${manyChats} chats`);
  // The reader, who only sends, and somebody else.
  const { database } = await populate(bench, {
    users: 3,
    rooms: [{ firstChat: 1, chats: manyChats, size: 3 }],
  });
  await fill(database);
  const list = await statementOf((recorder) => listChats(recorder, '', undefined, chatListStart, pageRows));
  const totals = await statementOf((recorder) => readUnreadTotals(recorder, ''));
  const counted = joinUnread('me', 'c').replace(/\s+/g, ' ');
  if (!list.includes(counted)) throw new Error('the list does not count as it did');
  const without = list.replace(
    counted,
    'CROSS JOIN (SELECT 0 AS count, NULL::bigint AS first, 0 AS mentions) unread',
  );

  const people = { 'user of 5,000 chats': 1, 'who has sent 100,000': 2 };
  const statements = Object.entries(people).flatMap(([name, user]) => {
    const values = [`'${userId(user)}'`, "'infinity'", `'${chatListStart.id}'`, String(pageRows)];
    return [
      [`${name}: list`, withValues(list, values)],
      [`${name}: list without counts`, withValues(without, values)],
      [`${name}: totals`, withValues(totals, values)],
    ];
  });
  const ms = await timesOf(bench, database, 'What is unread', Object.fromEntries(statements));
  for (const name of Object.keys(people)) {
    const ratio = spreadOf(ratiosOf(ms(`${name}: list`), ms(`${name}: list without counts`))).median;
    report.atMost(`${name}: list, with counts / without`, ratio, 2);
    report.atMost(`${name}: totals, ms`, spreadOf(ms(`${name}: totals`)).median, 30);
  }
}

async function ofManyPeople(bench: Bench): Promise<void> {
  const { report } = bench;
  report.progress(`${crowd} participants`);
  // The chats beside it give whoever is in it a list.
  const { database } = await populate(bench, {
    users: crowd,
    rooms: [
      { firstChat: 1, chats: 1, size: crowd },
      { firstChat: 2, chats: crowd / 10, size: 10 },
    ],
  });
  const [chat, user] = [`'${chatId(1)}'`, `'${userId(crowd)}'`];
  const participants = await statementOf((recorder) =>
    listParticipants(recorder, '', '', participantsStart, pageRows),
  );
  const page = (joined: string, number: number) =>
    withValues(participants, [chat, user, joined, String(number), String(pageRows), `'${userId(0)}'`]);
  const [row] = await database.sql.unsafe<{ joined: string }[]>(
    'SELECT max(joined_at)::text AS joined FROM chat_participants WHERE chat_id = $1::text::uuid',
    [chatId(1)],
  );
  const ms = await timesOf(
    { ...bench, rounds: Math.min(bench.rounds, 3) },
    database,
    `A chat of ${crowd} participants`,
    {
      'first page of participants': page("'-infinity'", 0),
      'a page in the middle': page(`'${row?.joined}'`, crowd / 2),
      'the chat': withValues(await statementOf((recorder) => readChat(recorder, '', '')), [chat, user]),
      'the list of chats': withValues(
        await statementOf((recorder) => listChats(recorder, '', undefined, chatListStart, pageRows)),
        [user, "'infinity'", `'${chatListStart.id}'`, String(pageRows)],
      ),
    },
  );
  for (const name of ['first page of participants', 'a page in the middle', 'the chat', 'the list of chats'])
    report.atMost(`${name}, ms`, spreadOf(ms(name)).median, 5);
}

/** In the order of time, with the chats side by side. */
async function fill({ sql }: BenchDatabase): Promise<void> {
  const { others, own } = messagesEach;
  const count = others + own;
  for (let sequence = 1; sequence <= count + unread.messages; sequence += 1) {
    const isOwn = sequence > others && sequence <= count;
    await sql.unsafe(
      `INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
       SELECT id, $1::int, gen_random_uuid(), $2::text::uuid, gen_random_uuid(), repeat('what somebody says ', 4), now(), $1::int + 3
       FROM chats WHERE id <= $3::text::uuid`,
      [sequence, userId(isOwn ? 2 : 3), chatId(sequence > count ? unread.chats : manyChats)],
    );
  }
  await sql.unsafe(
    `INSERT INTO mentions (chat_id, sequence, user_id)
     SELECT id, s, $1::text::uuid FROM chats, generate_series(${count}, ${count + unread.messages}, 10) s WHERE id <= $2::text::uuid`,
    [userId(1), chatId(unread.chats)],
  );
  await sql.unsafe(
    `UPDATE chats SET last_sequence = said.messages, last_event_sequence = said.messages + 3,
       last_activity_at = now() - said.at * interval '1 minute'
     FROM (SELECT id, row_number() OVER (ORDER BY id) AS at,
       ${count} + CASE WHEN id <= $1::text::uuid THEN ${unread.messages} ELSE 0 END AS messages FROM chats) said
     WHERE said.id = chats.id`,
    [chatId(unread.chats)],
  );
  await sql.unsafe(
    `UPDATE chat_participants SET last_read_sequence = CASE user_id WHEN $1::text::uuid THEN ${others} ELSE ${count} END`,
    [userId(2)],
  );
  // As the first look leaves it: over a run of own messages the marker moves.
  await sql.unsafe(
    `SELECT count(*) FROM (SELECT array_agg(user_id) AS users, array_agg(chat_id) AS chats, array_agg(NULL::bigint) AS none
       FROM chat_participants WHERE user_id = $1::text::uuid) a,
     write_memberships(a.users, a.chats, a.none, a.none, a.none, NULL)`,
    [userId(2)],
  );
  await settleDatabase(sql);
}
