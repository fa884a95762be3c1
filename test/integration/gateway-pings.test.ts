import { afterEach, describe, expect, test } from 'bun:test';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import {
  connectClient,
  createWorld,
  openClient,
  type RunningGateway,
  startTestGateway,
  type TestClient,
} from '../support/gateway-world.ts';

const base = await embeddedBase();
const { presence } = base;
const pingTimes = { intervalMs: 100, timeoutMs: 200, sweepMs: 20 };

describe('gateway: who is still there', () => {
  const opened: (RunningGateway | TestClient)[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0).toReversed()) await ('stop' in one ? one.stop() : one.close());
  });
  async function start(): Promise<RunningGateway> {
    const running = await startTestGateway({ ...base, pingTimes });
    opened.push(running);
    return running;
  }

  test.each([[['websocket']], [['polling']], [['polling', 'websocket']]])(
    'clients over %p are pinged again and again, and stay',
    async (transports) => {
      const { url } = await start();
      const [ada] = await (await createWorld(base)).newUsers(1);
      const client = await connectClient(url, ada!, { transports });
      opened.push(client);
      let pings = 0;
      client.socket.io.on('ping', () => {
        pings += 1;
      });
      await eventually('it has been pinged five times', () => pings >= 5);
      expect(client.disconnects).toEqual([]);
    },
  );

  test.each(['before it joins', 'in /chat'])('who does not answer is closed, %s', async (when) => {
    const { port } = await start();
    const [ada] = await (await createWorld(base)).newUsers(1);
    const socket = new WebSocket(`ws://localhost:${port}/socket.io/?EIO=4&transport=websocket`);
    const frames: string[] = [];
    let closed = false;
    socket.addEventListener('message', ({ data }) => frames.push(data));
    socket.addEventListener('close', () => {
      closed = true;
    });
    await eventually('it is open', () => frames.length > 0);
    if (when === 'in /chat') socket.send(`40/chat,${JSON.stringify({ token: ada!.token })}`);
    await eventually('it is closed', () => closed);
    expect(frames.filter((frame) => frame === '2')).toEqual(['2']);
    expect(frames.some((frame) => frame.includes('chat.ready'))).toBe(when === 'in /chat');
  });

  test('a client on long polling that is gone is closed, and forgotten', async () => {
    const { url } = await start();
    const [ada] = await (await createWorld(base)).newUsers(1);
    const at = `${url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(at)).text()).slice(1));
    const body = `40/chat,${JSON.stringify({ token: ada!.token })}`;
    await fetch(`${at}&sid=${sid}`, { method: 'POST', body });
    const online = async () => (await presence.online([ada!.id])).has(ada!.id);
    await eventually('it is online', online);
    await eventually('it is offline', async () => !(await online()));
    expect((await fetch(`${at}&sid=${sid}`)).status).toBe(400);
  });

  test.each([[['websocket']], [['polling']], [['polling', 'websocket']]])(
    'a token that ends closes the transport over %p, and the client comes back by itself',
    async (transports) => {
      const { url } = await start();
      const world = await createWorld(base);
      const [ada] = await world.newUsers(1);
      const client = openClient(url, await world.tokenFor(ada!, 1), { transports });
      opened.push(client);
      await eventually('it is ready', () => client.ready > 0);
      await eventually('it is closed', () => client.disconnects.length > 0);
      // A poll is answered with nothing, and the next one by a session that is not there any more.
      expect(client.disconnects).toEqual([
        transports.length === 1 && transports[0] === 'polling' ? 'transport error' : 'transport close',
      ]);
      await eventually('it hears why', () => client.errors.length > 0);
      expect(client.errors[0].data.code).toBe('token_expired');
    },
  );
});
