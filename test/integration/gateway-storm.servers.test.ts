import { afterAll, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import {
  counted,
  createWorld,
  openClient,
  startTestGateway,
  type TestClient,
} from '../support/gateway-world.ts';
import { runningMs } from '../support/running-time.ts';
import { twoEnds } from '../support/two-ends.ts';

const base = await twoEnds();
const { database, queries } = counted(base.database);
const gateway = await startTestGateway({ ...base, ...base.ends[0]!, database });
const clients: TestClient[] = [];
afterAll(async () => {
  for (const client of clients) client.close();
  await gateway.stop();
});

const sockets = 1_000;
const chatsOfEach = 5;
const usersOfChat = 10;

test('1,000 sockets that come back at once are live within 10 s, with what they missed, for one query in 20', async () => {
  const world = await createWorld(base);
  const users = await world.newUsers(sockets);
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
  const isReady = (times: number) => clients.every((client) => client.ready >= times);
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
