import { afterAll, expect, test } from 'bun:test';
import { createOwnTokens } from '../../src/auth/tokens.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { sessions, users } from '../../src/db/schema.ts';
import { newId } from '../../src/shared/ids.ts';
import { runCommand } from '../support/commands.ts';
import { startThreeProcesses } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { type Ears, type Person, personWith } from '../support/people.ts';
import { testProcesses } from '../support/processes.ts';
import { realServers } from '../support/servers.ts';

const userCount = 200;
const chatCount = 20;
const chatSize = 10;
const postCount = 2_000;
/** Posts under way at once. */
const concurrency = 40;
const secret = 'a secret that this test shares with its processes';

const servers = await realServers();
const processes = testProcesses();
const deployment = await startThreeProcesses({
  processes,
  servers,
  env: { RATE_LIMIT_ENABLED: 'false', JWT_SECRET: secret, LOG_LEVEL: 'warn' },
});
const database = openPostgres({ url: deployment.databaseUrl, applicationName: 'confab-test' });
afterAll(() => database.close());

/** Straight into the tables: two hundred passwords would take half a minute to hash. */
async function seedPeople(): Promise<Person[]> {
  const tokens = await createOwnTokens({
    secret,
    issuer: 'confab',
    audience: 'confab',
    accessTtlSeconds: 900,
  });
  const made = Array.from({ length: userCount }, () => ({ id: newId(), sessionId: newId() }));
  await database.orm.insert(users).values(made.map(({ id }, at) => ({ id, displayName: `User ${at}` })));
  const expiresAt = new Date(Date.now() + 3_600_000);
  await database.orm
    .insert(sessions)
    .values(made.map(({ id, sessionId }) => ({ id: sessionId, userId: id, expiresAt })));
  return Promise.all(
    made.map(async ({ id, sessionId }) =>
      personWith(deployment, id, await tokens.sign({ userId: id, sessionId })),
    ),
  );
}

test('200 users, 20 chats of 10, 2,000 posts: none missing, none twice, none to a sender, order kept', async () => {
  const people = await seedPeople();
  const rooms = await Promise.all(
    Array.from({ length: chatCount }, async (_, at) => {
      const members = people.slice(at * chatSize, (at + 1) * chatSize);
      const chat = await members[0]!.newChat(...members.slice(1));
      return { chatId: chat.id, members };
    }),
  );
  const ears = new Map<string, Ears>();
  await Promise.all(people.map(async (person) => ears.set(person.id, await person.connect())));

  // Every post goes to the next chat, by its next member.
  const accepted: { chatId: string; senderId: string; id: string; startedAt: number; endedAt: number }[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (let at = next++; at < postCount; at = next++) {
        const { chatId, members } = rooms[at % chatCount]!;
        const sender = members[Math.floor(at / chatCount) % chatSize]!;
        const startedAt = performance.now();
        const { brokerMessageId: id } = await sender.send(chatId, `post ${at}`);
        accepted.push({ chatId, senderId: sender.id, id, startedAt, endedAt: performance.now() });
      }
    }),
  );
  expect(accepted).toHaveLength(postCount);

  const deliveries = postCount * (chatSize - 1);
  const delivered = () => [...ears.values()].reduce((sum, { news }) => sum + news.length, 0);
  const saved = () => [...ears.values()].reduce((sum, each) => sum + each.saved.length, 0);
  await eventually(
    'everything is delivered',
    () => delivered() >= deliveries && saved() >= postCount,
    30_000,
  );
  // A last message to everybody: what was still under way before it would have come by now.
  await Promise.all(rooms.map(({ chatId, members }) => members[0]!.send(chatId, 'the last')));
  await eventually(
    'the last is delivered',
    () => delivered() + saved() >= deliveries + postCount + chatCount * chatSize,
  );
  expect(delivered()).toBe(deliveries + chatCount * (chatSize - 1));
  expect(saved()).toBe(postCount + chatCount);

  for (const { chatId, members } of rooms) {
    const inChat = accepted.filter((each) => each.chatId === chatId);
    for (const member of members) {
      const { news, saved: own } = ears.get(member.id)!;
      const withoutLast = (events: typeof news) =>
        events.filter(({ message }) => message.content !== 'the last');
      expect(news.every(({ message }) => message.senderId !== member.id)).toBe(true);
      expect(own.every(({ message }) => message.senderId === member.id)).toBe(true);
      expect(new Set(withoutLast(news).map(({ message }) => message.id))).toEqual(
        new Set(inChat.filter(({ senderId }) => senderId !== member.id).map(({ id }) => id)),
      );
      expect(news.map(({ message }) => message.sequence)).toEqual(
        news.map(({ message }) => message.sequence).sort((one, two) => one - two),
      );
      const seen = [...news, ...own].map(({ message }) => message.sequence).sort((one, two) => one - two);
      expect(seen).toEqual(Array.from({ length: inChat.length + 1 }, (_, at) => at + 1));
    }
    // A send begun after another's 202 comes after it.
    const sequences = new Map(
      members.flatMap((member) =>
        ears.get(member.id)!.news.map(({ message }) => [message.id, message.sequence] as const),
      ),
    );
    for (const one of inChat) {
      const later = inChat.filter(({ startedAt }) => startedAt > one.endedAt);
      expect(later.every(({ id }) => sequences.get(id)! > sequences.get(one.id)!)).toBe(true);
    }
  }
  for (const each of ears.values()) each.close();

  const stored = await database.query('SELECT count(*) AS stored FROM messages', []);
  expect(stored).toEqual([{ stored: postCount + chatCount }]);
  expect(await runCommand('dlq.ts', ['list'], deployment.env)).toEqual({
    status: 0,
    out: '',
    err: '0 dead letters\n',
  });
}, 90_000);
