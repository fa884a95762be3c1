import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Database } from '../../src/db/database.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import {
  connectClient,
  createWorld,
  openClient,
  type RunningGateway,
  startTestGateway,
  type TestClient,
  type World,
  type WorldUser,
} from '../support/gateway-world.ts';

const base = await embeddedBase();
const userCount = 6;
const chatsOfEach = 40;

/** What the gateway reads of memberships, and what fails. */
const reading = { rows: 0, statements: 0 };
let failing: RegExp | undefined;
const watched: Database = {
  ...base.database,
  async query<Row extends object>(text: string, parameters: readonly unknown[]): Promise<Row[]> {
    if (failing?.test(text)) throw new Error('this part fails');
    const rows = await base.database.query<Row>(text, parameters);
    reading.statements += 1;
    if (/chat_participants/.test(text)) reading.rows += rows.length;
    return rows;
  },
};

let world: World;
let gateway: RunningGateway;
let users: WorldUser[];
let clients: TestClient[];
let chatIds: string[];
beforeAll(async () => {
  world = await createWorld(base);
  gateway = await startTestGateway({
    ...base,
    database: watched,
    comparisonMs: 50,
  });
  users = await world.newUsers(userCount);
  chatIds = await world.insertGroups(Array.from({ length: chatsOfEach }, () => users));
  clients = await Promise.all(users.map((user) => connectClient(gateway.url, user)));
});
afterAll(async () => {
  for (const client of clients) client.close();
  await gateway.stop();
});

/** Three statements each, at least. */
async function comparisons(count: number): Promise<void> {
  const from = reading.statements;
  await eventually(`${count} comparisons`, () => reading.statements - from >= 3 * count);
}

test('where nothing has changed no membership is read, from the first comparison on', async () => {
  reading.rows = 0;
  await comparisons(4);
  expect(reading.rows).toBe(0);
});

test('where somebody was added behind its back, the memberships of that user alone are read, until they agree', async () => {
  const [added, owner] = [users[0]!, users[1]!];
  const chat = await world.newGroup(owner);
  await eventually('the owner has the chat', () => clients[1]!.seen.length > 0);
  await comparisons(4);
  reading.rows = 0;
  await world.addSilently(owner, chat.id, added);
  await eventually('it is told', () => clients[0]!.seen.some(({ event }) => event === 'chat.created'));
  await comparisons(4);
  // Once when it was found, once when it was seen to have come to its end, and the looking itself.
  expect(reading.rows).toBeGreaterThan(chatsOfEach);
  expect(reading.rows).toBeLessThan(3 * (chatsOfEach + 1));
  reading.rows = 0;
  await comparisons(4);
  expect(reading.rows).toBe(0);
});

test('a second socket of a user is in the same chats, and is taken out of one with the first', async () => {
  const again = await connectClient(gateway.url, users[2]!);
  await comparisons(4);
  reading.rows = 0;
  await comparisons(4);
  expect(reading.rows).toBe(0);
  await world.remove(users[0]!, chatIds[3]!, users[2]!, { silent: true });
  for (const client of [clients[2]!, again])
    await eventually('it is told of its removal', () =>
      client.seen.some(
        ({ event, payload }) => event === 'chat.participant.removed' && payload.chatId === chatIds[3],
      ),
    );
  again.close();
});

for (const [part, pattern] of [
  ['heads', /SELECT id AS "chatId", last_event_sequence/],
  ['memberships', /membership_version|chat_participants p/],
] as const) {
  test(`while the comparison of ${part} fails, sessions that have ended are found`, async () => {
    const [user] = await world.newUsers(1);
    const client = await connectClient(gateway.url, user!);
    failing = pattern;
    try {
      await world.endSession(user!, { silent: true });
      await eventually('it is closed', () => client.disconnects.length > 0);
    } finally {
      failing = undefined;
      client.close();
    }
  });
}

test('what is announced while it is being read is newer, for who connects and for the comparison', async () => {
  const gates = new Map<string, { reached: boolean; open: PromiseWithResolvers<void> }>();
  /** What is read by statements like this is held back from now on. */
  const close = (part: string) =>
    gates.set(part, { reached: false, open: Promise.withResolvers<void>() }).get(part)!;
  const database: Database = {
    ...base.database,
    async query<Row extends object>(text: string, parameters: readonly unknown[]): Promise<Row[]> {
      const rows = await base.database.query<Row>(text, parameters);
      for (const [part, gate] of gates) {
        if (!text.includes(part)) continue;
        gate.reached = true;
        await gate.open.promise;
      }
      return rows;
    },
  };
  // Whatever the comparison does wrong stays so.
  const own = await startTestGateway({ ...base, database, comparisonMs: 600_000 });
  const [ada, bob, eve] = (await world.newUsers(3)) as [WorldUser, WorldUser, WorldUser];
  const { id: chatId } = await world.newGroup(ada, bob, eve);
  const { id: otherId } = await world.newGroup(ada, bob);
  for (const id of [chatId, otherId]) {
    for (let at = 0; at < 4; at += 1) await world.send(ada, id, `${at}`);
  }
  const read = (user: WorldUser, sequence: number) =>
    world.own.markRead({ userId: user.id, chatId, sequence });
  const [adas, bobs] = [await connectClient(own.url, ada), await connectClient(own.url, bob)];

  const comparing = close('version, own_changes AS "ownVersion"');
  const head = { version: 1, kind: 'unknown' } as const;
  await base.notifier.publish([{ topic: `user:${bob.id}`, head, body: '' }]);
  await eventually('it has compared', () => comparing.reached);
  const connecting = close('p.chat_id AS "chatId", c.head');
  const eves = openClient(own.url, eve.token);
  await eventually('she has read her own', () => connecting.reached);
  for (const user of [bob, eve]) await world.updateMe({ userId: user.id, readReceipts: false });
  const lost = await world.ownSilently.markRead({ userId: bob.id, chatId: otherId, sequence: 1 });
  const heard = await read(bob, 2);
  await eventually('he is told of what was heard', () => bobs.memberships.length > 0);
  gates.clear();
  for (const { open } of [comparing, connecting]) open.resolve();
  await eventually('she is ready', () => eves.ready > 0);
  await eventually('he is told of what was lost before', () =>
    bobs.memberships.some(({ version }) => version === lost.version),
  );
  expect(bobs.memberships[0]).toEqual(heard);

  await read(ada, 4);
  await eventually('who shows receipts is told', () => adas.seen.some(({ event }) => event === 'chat.read'));
  await world.send(ada, chatId, 'fence');
  await eventually('the fence arrives', () =>
    [bobs, eves].every((client) => client.contents().includes('fence')),
  );
  for (const { seen } of [bobs, eves]) expect(seen.map(({ event }) => event)).not.toContain('chat.read');
  for (const client of [adas, bobs, eves]) client.close();
  await own.stop();
});

test('while sessions cannot be compared, messages and memberships are', async () => {
  failing = /FROM sessions/;
  try {
    await world.send(users[3]!, chatIds[0]!, 'unheard', { silent: true });
    await eventually('it is told', () => clients[4]!.contents().includes('unheard'));
    const chat = await world.newGroup(users[3]!);
    await world.addSilently(users[3]!, chat.id, users[4]!);
    await eventually('it is in', () => clients[4]!.seen.some(({ payload }) => payload.chat?.id === chat.id));
  } finally {
    failing = undefined;
  }
});
