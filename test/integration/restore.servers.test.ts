import { afterAll, beforeAll, expect, test } from 'bun:test';
import postgres from 'postgres';
import type { Chat } from '../../src/shared/contract.ts';
import { audited, runCommand } from '../support/commands.ts';
import { type Member, serverEnvironment, startMember } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson, type Person } from '../support/people.ts';
import { testProcesses, untilSays } from '../support/processes.ts';
import { realServers } from '../support/servers.ts';

/** What an operator does when a backup has to be restored, as docs/operations.md has it, and what happens to who does not. */
const servers = await realServers();
const processes = testProcesses();
const admin = postgres(servers.adminDatabaseUrl, { max: 1, onnotice: () => {} });
const env: Record<string, string> = {
  ...(await serverEnvironment(servers)),
  DATA_DIR: await processes.folder(),
  RATE_LIMIT_ENABLED: 'false',
};
const name = new URL(env.DATABASE_URL!).pathname.slice(1);
const backup = `${name}_backup`;

let api: Member;
let worker: Member;
let ada: Person;
let bob: Person;
let eve: Person;
let old: Chat;
let young: Chat;
beforeAll(async () => {
  api = await startMember(processes, 'api', env);
  worker = await startMember(processes, 'worker', env);
  const deployment = { apiUrl: api.url, socketUrl: api.url };
  [ada, bob, eve] = [
    await newPerson(deployment, 'ada'),
    await newPerson(deployment, 'bob'),
    await newPerson(deployment, 'eve'),
  ];
  old = await ada.newChat(bob, await newPerson(deployment, 'dan'));
  await ada.send(old.id, 'before the backup');
}, 60_000);
afterAll(async () => {
  await Promise.all([api, worker].map(({ process }) => process.kill()));
  await admin.unsafe(`DROP DATABASE IF EXISTS ${backup} WITH (FORCE)`);
  await admin.end();
});

const stored = async (chatId: string): Promise<string[]> => {
  const sql = postgres(env.DATABASE_URL!, { max: 1, onnotice: () => {} });
  try {
    const rows = await sql`SELECT content FROM messages WHERE chat_id = ${chatId} ORDER BY sequence`;
    return rows.map(({ content }) => content);
  } finally {
    await sql.end({ timeout: 1 });
  }
};
const deadLetters = async () =>
  (await runCommand('dlq.ts', ['list'], env)).out.trim().split('\n').filter(Boolean);

test('a database that is replaced under a running worker loses it nothing: it stores and refuses nothing more', async () => {
  await eventually('it is stored', async () => (await stored(old.id)).length === 1);
  // The copy is made of a database in which nobody is.
  await admin.unsafe(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${name}`;
  await admin.unsafe(`CREATE DATABASE ${backup} TEMPLATE ${name}`);
  await admin.unsafe(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);

  // After the backup: another chat, and somebody else in the old one, who all have spoken.
  await eventually('the api is back', async () => (await ada.call('GET', '/auth/me')).status === 200);
  young = await ada.newChat(bob);
  await ada.call('POST', `/chats/${old.id}/participants`, { userIds: [eve.id] });
  await ada.send(young.id, 'lost with the database');
  await eve.send(old.id, 'lost with the database');
  for (const { id } of [young, old])
    await eventually('it is stored', async () => (await stored(id)).includes('lost with the database'));

  await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
  await admin.unsafe(`ALTER DATABASE ${backup} RENAME TO ${name}`);
  await ada.send(young.id, 'accepted');
  await eve.send(old.id, 'accepted too');
  await untilSays(worker.process, 'the database was replaced under this process');
  await eventually('it is not ready', async () => (await fetch(`${worker.url}/readyz`)).status === 503);
  expect(await (await fetch(`${worker.url}/readyz`)).json()).toMatchObject({
    problems: [expect.stringContaining('the database was replaced under this process')],
  });
  expect(await deadLetters()).toEqual([]);
}, 60_000);

test('started on the restored database it says so, and what has no chat there waits among the dead letters', async () => {
  worker.process.signal('SIGTERM');
  expect(await worker.process.exited).toBe(0);
  worker = await startMember(processes, 'worker', env);
  await untilSays(worker.process, 'the database is another one than at the last start');
  await ada.send(old.id, 'to those who are there');
  await eventually('it goes on', async () => (await stored(old.id)).includes('to those who are there'));
  await eventually('both wait', async () => (await deadLetters()).length === 2);
}, 60_000);

test('replayed once their chats are there again, all that was accepted is stored', async () => {
  const sql = postgres(env.DATABASE_URL!, { max: 1, onnotice: () => {} });
  await sql`INSERT INTO chats (id, is_group, direct_key, last_event_sequence)
    VALUES (${young.id}, false, ${[ada.id, bob.id].toSorted().join(':')}, 2)`;
  const participants = [
    [young.id, ada.id],
    [young.id, bob.id],
    [old.id, eve.id],
  ];
  for (const [chatId, userId] of participants)
    await sql`INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
      VALUES (${chatId!}, ${userId!}, 'member', 1, 1)`;
  await sql.end();
  const letters = (await deadLetters()).map((line) => line.split(' ')[0]);
  expect(letters).toHaveLength(2);
  const replayed = await runCommand('dlq.ts', ['replay', '--all'], env);
  expect(replayed.status).toBe(0);
  expect(audited(replayed)).toMatchObject([{ event: 'dlq.replayed', ids: letters, signed: false }]);
  await eventually('the chat that came back has it', async () =>
    (await stored(young.id)).includes('accepted'),
  );
  await eventually('so has the other', async () => (await stored(old.id)).includes('accepted too'));
  expect(await stored(young.id)).toEqual(['accepted']);
  expect(await stored(old.id)).toEqual(['before the backup', 'to those who are there', 'accepted too']);
  expect(await deadLetters()).toEqual([]);
}, 60_000);
