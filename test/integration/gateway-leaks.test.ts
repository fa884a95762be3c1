import { heapStats } from 'bun:jsc';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { createRandom } from '../../torture/random.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import {
  connectClient,
  createWorld,
  type RunningGateway,
  startTestGateway,
  type World,
} from '../support/gateway-world.ts';

const base = await embeddedBase();

/** That are set: one that is over the heap may hold for some time, but nothing protects it. */
const timers = (): number => heapStats().protectedObjectTypeCounts.Timeout ?? 0;

/** As many as there are once none comes or goes any more. */
async function restingTimers(): Promise<number> {
  for (let last = timers(); ; ) {
    await Bun.sleep(500);
    const now = timers();
    if (now === last) return now;
    last = now;
  }
}

describe('gateway: what hostile clients leave behind when they are gone', () => {
  let running: RunningGateway;
  let world: World;
  let token: string;
  const sids: string[] = [];

  beforeAll(async () => {
    world = await createWorld(base);
    // Of who has gone a timer would be left for ten seconds.
    const presenceTimes = { offlineAfterMs: 200, gatherMs: 20, lookEveryMs: 10 };
    running = await startTestGateway({ ...base, presenceTimes });
    const [ada] = await world.newUsers(1);
    token = ada!.token;
    // Whatever is made once is there.
    const client = await connectClient(running.url, ada!, { transports: ['polling', 'websocket'] });
    await eventually('it upgrades', () => client.socket.io.engine.transport.name === 'websocket');
    client.close();
    await eventually('it is gone', () => running.server.pendingWebSockets === 0);
  });
  afterAll(() => running.stop());

  const url = (query: string) => `${running.url}/socket.io/?EIO=4&${query}`;

  async function openPolling(): Promise<string> {
    const { sid } = JSON.parse((await (await fetch(url('transport=polling'))).text()).slice(1));
    sids.push(sid);
    return sid;
  }

  async function openWebSocket(sid?: string): Promise<WebSocket> {
    const ws = new WebSocket(
      url(`transport=websocket${sid === undefined ? '' : `&sid=${sid}`}`).replace('http', 'ws'),
    );
    await eventually('it is open or refused', () => ws.readyState !== WebSocket.CONNECTING);
    return ws;
  }

  /** As before all of them came: no socket, no session, no timer more than then, and nothing to do. */
  async function isAsBefore(timersBefore: number): Promise<void> {
    const { server } = running;
    await eventually(
      'no socket is left',
      () => server.pendingWebSockets === 0 && server.pendingRequests === 0,
    );
    for (const sid of sids.splice(0)) {
      expect((await fetch(url(`transport=polling&sid=${sid}`))).status).toBe(400);
    }
    await eventually('no timer is left', () => timers() <= timersBefore);
    await eventually('the processor rests', async () => {
      const before = process.cpuUsage();
      await Bun.sleep(200);
      const { user, system } = process.cpuUsage(before);
      return user + system < 20_000;
    });
  }

  test('probes without end, and an end without an upgrade', async () => {
    const before = await restingTimers();
    const frames = 2_000;
    for (let at = 0; at < 5; at += 1) {
      const sid = await openPolling();
      const ws = await openWebSocket(sid);
      for (let sent = 0; sent < frames; sent += 1) ws.send('2probe');
      await eventually('it is closed', () => ws.readyState === WebSocket.CLOSED);
      await fetch(url(`transport=polling&sid=${sid}`), { method: 'POST', body: '1' });
    }
    await isAsBefore(before);
  });

  test('a few probes of each of many, which stay within what a client may send', async () => {
    const before = await restingTimers();
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const sid = await openPolling();
        for (let again = 0; again < 3; again += 1) {
          const ws = await openWebSocket(sid);
          let pongs = 0;
          ws.addEventListener('message', () => {
            pongs += 1;
          });
          for (let sent = 0; sent < 20; sent += 1) ws.send('2probe');
          await eventually('all are answered', () => pongs === 20);
          ws.close();
          await eventually('it is closed', () => ws.readyState === WebSocket.CLOSED);
        }
        await fetch(url(`transport=polling&sid=${sid}`), { method: 'POST', body: '1' });
      }),
    );
    await isAsBefore(before);
  });

  const upgrade = async (sid: string): Promise<WebSocket> => {
    const ws = await openWebSocket(sid);
    const frames: string[] = [];
    ws.addEventListener('message', ({ data }) => frames.push(String(data)));
    ws.send('2probe');
    await eventually('it is answered', () => frames.includes('3probe'));
    return ws;
  };

  test('an upgrade that is given up can be begun again, and one at a time', async () => {
    const sid = await openPolling();
    const given = await upgrade(sid);
    expect(running.server.pendingWebSockets).toBe(1);
    const second = await openWebSocket(sid);
    await eventually('the second one is closed', () => second.readyState === WebSocket.CLOSED);
    given.close();
    await eventually('the first one is closed', () => given.readyState === WebSocket.CLOSED);
    const third = await upgrade(sid);
    third.send('5');
    third.send(`40/chat,${JSON.stringify({ token })}`);
    let ready = false;
    third.addEventListener('message', ({ data }) => {
      ready ||= String(data).includes('chat.ready');
    });
    await eventually('it is in the chat', () => ready);
    const fourth = await openWebSocket(sid);
    await eventually('one more is refused', () => fourth.readyState === WebSocket.CLOSED);
    third.close();
    await eventually('nothing is left', () => running.server.pendingWebSockets === 0);
  });

  test('a session that ends takes its probe along', async () => {
    const before = await restingTimers();
    const sid = await openPolling();
    const ws = await upgrade(sid);
    await fetch(url(`transport=polling&sid=${sid}`), { method: 'POST', body: '1' });
    // Long before its own time is over, which is 10 s.
    await eventually('the probe is closed', () => ws.readyState === WebSocket.CLOSED, 5_000);
    await isAsBefore(before);
  });

  const packets = [
    ...[
      '2probe',
      '2probe',
      '2probe',
      '5',
      '5',
      '3',
      '3probe',
      '2',
      '6',
      '1',
      '0',
      '7',
      '',
      'b',
      'bAAAA',
      '4',
    ],
    ...[
      '40',
      '40/chat,',
      '40/chat,{}',
      '40/chat,{"token":"x"}',
      '41/chat,',
      '41',
      '42/chat,["x"]',
      '42["x"]',
    ],
    ...['43/chat,1[]', '44/chat,{}', '451-/chat,["x",{"_placeholder":true,"num":0}]', '461-/chat,1[]', '4x'],
  ];

  /** One client that does whatever comes to its mind, in any order, for a while. */
  async function misbehave(seed: number, untilMs: number): Promise<void> {
    const random = createRandom(seed);
    const below = (count: number) => random.integer(0, count - 1);
    const packet = () => {
      const one = packets[below(packets.length)] ?? '';
      return one === '40/chat,' && below(2) ? `40/chat,${JSON.stringify({ token })}` : one;
    };
    const sockets: WebSocket[] = [];
    const polls: AbortController[] = [];
    let sid = await openPolling();
    const poll = () => {
      const abort = new AbortController();
      polls.push(abort);
      fetch(url(`transport=polling&sid=${sid}`), { signal: abort.signal })
        .then((answer) => answer.text())
        .catch(() => {});
    };
    const post = (body: string) =>
      fetch(url(`transport=polling&sid=${sid}`), { method: 'POST', body })
        .then((answer) => answer.text())
        .catch(() => {});
    const acts: (() => unknown)[] = [
      async () => {
        sid = await openPolling();
      },
      poll,
      poll,
      () => post(packet()),
      () => post(Array.from({ length: below(60) }, packet).join('\x1e')),
      () => void post(packet()),
      () => polls.pop()?.abort(),
      async () => sockets.push(await openWebSocket()),
      async () => sockets.push(await openWebSocket(sid)),
      async () => sockets.push(await openWebSocket(sid)),
      // In the same breath: the session may end while the upgrade is asked for.
      async () => {
        const opening = openWebSocket(sid);
        await post('1');
        sockets.push(await opening);
      },
      () => sockets.splice(below(sockets.length + 1), 1)[0]?.close(),
      () => sockets.splice(below(sockets.length + 1), 1)[0]?.terminate(),
      () => {
        const half = connect(running.port, '127.0.0.1');
        half.on('error', () => {});
        half.write(
          `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n40`,
        );
        setTimeout(() => half.destroy(), below(20));
      },
    ];
    while (performance.now() < untilMs) {
      await acts[below(acts.length)]?.();
      for (const ws of sockets) {
        const count = below(10) ? below(4) : 60;
        for (let at = 0; at < count && ws.readyState === WebSocket.OPEN; at += 1) {
          ws.send(below(12) ? packet() : new Uint8Array(below(100)));
        }
      }
    }
    for (const one of polls) one.abort();
    for (const ws of sockets) below(2) ? ws.close() : ws.terminate();
    await post('1');
  }

  test('any sequence of requests, frames and ends, of many at the same time', async () => {
    const before = await restingTimers();
    const untilMs = performance.now() + 2_500;
    await Promise.all(Array.from({ length: 24 }, (_, at) => misbehave(at + 1, untilMs)));
    // Sessions whose end nobody has said, on long polling, end with their handshake.
    await eventually('no session is left', async () => {
      for (const sid of sids) await fetch(url(`transport=polling&sid=${sid}`), { method: 'POST', body: '1' });
      return running.server.pendingWebSockets === 0;
    });
    await isAsBefore(before);
    const [bob] = await world.newUsers(1);
    (await connectClient(running.url, bob!)).close();
  }, 30_000);
});
