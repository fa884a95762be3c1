import { afterAll, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import {
  connectClient,
  counted,
  createWorld,
  openClient,
  startTestGateway,
  type TestClient,
  type WorldUser,
} from '../support/gateway-world.ts';
import { runningMs } from '../support/running-time.ts';
import { twoEnds } from '../support/two-ends.ts';

const base = await twoEnds();
const { database, queries } = counted(base.database);
const presenceTimes = { offlineAfterMs: 3_000, gatherMs: 1_000, lookEveryMs: 100 };
const open = (end: 0 | 1, port = 0) =>
  startTestGateway({ ...base, ...base.ends[end]!, database, presenceTimes }, { port });
let gateway = await open(0);
const world = await createWorld(base);
const clients: TestClient[] = [];
const undo: (() => unknown)[] = [() => gateway.stop()];
afterAll(async () => {
  for (const client of clients) client.close();
  for (const step of undo) await step();
});

const sockets = 1_000;
const chatsOfEach = 5;
const usersOfChat = 10;
let users: WorldUser[] = [];
const isReady = (times: number) => clients.every((client) => client.ready >= times);

test('1,000 sockets that come back at once are live within 10 s, with what they missed, for one query in 20', async () => {
  users = await world.newUsers(sockets);
  const groups = Array.from({ length: (sockets * chatsOfEach) / usersOfChat }, (_, at) =>
    Array.from({ length: usersOfChat }, (_, place) => users[(at * 7 + place * 101) % sockets]!),
  );
  const chatIds = await world.insertGroups(groups);
  for (const user of users) {
    const cursors: Record<string, number> = {};
    const client = openClient(gateway.url, user.token, {
      autoConnect: false,
      auth: (give) => give({ token: user.token, cursors }),
    });
    client.socket.onAny((_, { chatId, chat, eventSequence = chat?.eventSequence } = {}) => {
      const id = chatId ?? chat?.id;
      if (id !== undefined) cursors[id] = eventSequence;
    });
    client.socket.connect();
    clients.push(client);
  }
  await eventually('all are ready', () => isReady(1), 30_000);
  for (const client of clients) client.seen.length = 0;

  for (const client of clients) client.close();
  await eventually('all are gone', () => clients.every(({ socket }) => !socket.connected));
  for (const [at, chatId] of chatIds.entries()) await world.send(groups[at]![0]!, chatId, `missed ${at}`);

  const before = queries();
  const began = runningMs();
  for (const { socket } of clients) socket.connect();
  await eventually('all are back', () => isReady(2), 30_000);
  const tookMs = runningMs() - began;
  const asked = queries() - before;
  console.log(`  ${sockets} sockets back in ${Math.round(tookMs)} ms with ${asked} queries`);
  expect(tookMs).toBeLessThan(10_000);
  expect(asked).toBeLessThanOrEqual(sockets / 20);

  const expected = users.map((user) =>
    groups.flatMap((group, at) => (group.includes(user) ? [`missed ${at}`] : [])).sort(),
  );
  await eventually('all have what they missed', () =>
    clients.every((client, at) => client.seen.length >= expected[at]!.length),
  );
  clients.forEach((client, at) => {
    expect(client.contents().sort()).toEqual(expected[at]!);
  });
}, 90_000);

test('a gateway with 1,000 sockets restarts, and nobody is told that somebody has gone', async () => {
  const [watcher] = (await world.newUsers(1)) as [WorldUser];
  await database.query(
    `WITH made AS (
      INSERT INTO chats (id, is_group, direct_key, last_event_sequence)
      SELECT gen_random_uuid(), false, id || ':' || $2, 1 FROM unnest($1::text[]) AS id RETURNING id, direct_key
    )
    INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
    SELECT made.id, who::uuid, 'owner', 1, 1 FROM made, unnest(string_to_array(direct_key, ':')) AS who`,
    [users.map(({ id }) => id), watcher.id],
  );
  const other = await open(1);
  undo.push(() => other.stop());
  const { seen, close } = await connectClient(other.url, watcher);
  undo.unshift(close);

  await gateway.stop();
  gateway = await open(0, gateway.port);
  await eventually('all are back', () => isReady(3), 30_000);
  // What there was to tell of the others is told before this.
  clients[0]!.close();
  const gone = () => seen.map(({ payload }) => payload).filter(({ online }) => online === false);
  await eventually('who has left is told', () => gone().length > 0);
  expect(gone()).toEqual([expect.objectContaining({ userId: users[0]!.id })]);
  expect(Date.now() - Date.parse(gone()[0].lastSeenAt)).toBeGreaterThanOrEqual(3_000);
}, 60_000);
