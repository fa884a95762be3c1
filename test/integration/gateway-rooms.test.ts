import { afterAll, beforeAll, expect, test } from 'bun:test';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import {
  connectClient,
  createWorld,
  openClient,
  type RunningGateway,
  startTestGateway,
  type TestClient,
  type Transport,
} from '../support/gateway-world.ts';

const base = await embeddedBase();
let running: RunningGateway;
beforeAll(async () => {
  running = await startTestGateway(base);
});
afterAll(() => running.stop());

const numbers = (client: TestClient) => client.contents().map(Number);
/** From the first that it was told to this one. */
const through = (client: TestClient, last: number) => {
  const [first = 0] = numbers(client);
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
};

test('a room is told without a seam while it grows and shrinks, and while its members upgrade', async () => {
  const world = await createWorld(base);
  const [sender, ...users] = await world.newUsers(25);
  const chat = await world.newGroup(sender!, ...users);
  let sent = 0;
  let sending = true;
  const flow = (async () => {
    while (sending) {
      await world.send(sender!, chat.id, `${sent}`);
      sent += 1;
      await Bun.sleep(1);
    }
  })();
  const some = async (more: number) => {
    const after = sent + more;
    await eventually('some more are sent', () => sent >= after);
  };
  const ways: Transport[][] = [['websocket'], ['polling'], ['polling', 'websocket']];
  // The sender's own is left out of what the others are told, again and again.
  const steady = await Promise.all(
    [sender!, ...users.slice(0, 3)].map((user) => connectClient(running.url, user)),
  );
  // Few, many, few, many: below and above the size from which a room is told by one publish.
  for (let wave = 0; wave < 2; wave += 1) {
    const clients = users
      .slice(3)
      .map((user, at) => openClient(running.url, user.token, { transports: ways[at % 3]! }));
    await eventually('all are ready', () => clients.every(({ ready }) => ready > 0));
    await eventually('those that may have upgraded', () =>
      clients.every(({ socket }, at) => at % 3 !== 2 || socket.io.engine.transport.name === 'websocket'),
    );
    await some(20);
    const last = sent - 1;
    await eventually('all have what was sent', () =>
      clients.every((one) => (numbers(one).at(-1) ?? -1) >= last),
    );
    for (const client of clients) {
      expect(numbers(client).slice(0, last - numbers(client)[0]! + 1)).toEqual(through(client, last));
      client.close();
    }
    await some(20);
  }
  sending = false;
  await flow;
  const last = sent - 1;
  await eventually('all have the last', () => steady.every((one) => numbers(one).at(-1) === last));
  for (const client of steady) expect(numbers(client)).toEqual(through(client, last));
  expect(steady[0]!.contents('chat.message.new')).toEqual([]);
  for (const client of steady) client.close();
});
