import { describe, expect, test } from 'bun:test';
import { createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
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
const world = await createWorld(base);
/** With these limits; whoever comes says their address. */
function startLimited(environment: Record<string, string>) {
  const rateLimits = createEmbeddedRateLimits(parseConfig(environment).rateLimits, createMetrics());
  return startTestGateway({ ...base, rateLimits, trustProxy: true });
}

/** Begins long polling. */
const openFrom = ({ url }: RunningGateway, address: string) =>
  fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { 'x-forwarded-for': address } });

const ways: [Transport[]][] = [[['websocket']], [['polling']], [['polling', 'websocket']]];

describe('gateway: what one user or address may have', () => {
  test.each(ways)(
    'a user’s newest socket too many is refused over %p, the others stay',
    async (transports) => {
      const running = await startTestGateway({ ...base, maxSocketsPerUser: 3 });
      const [ada, bob] = await world.newUsers(2);
      const clients: TestClient[] = [];
      for (let at = 0; at < 3; at += 1) clients.push(await connectClient(running.url, ada!, { transports }));
      const fourth = openClient(running.url, ada!.token, { transports });
      await eventually('it is refused', () => fourth.errors.length > 0);
      expect(fourth.errors[0].data).toEqual({
        code: 'too_many_sockets',
        detail: expect.stringContaining('3'),
      });
      expect(fourth.socket.active).toBe(false);
      clients.push(await connectClient(running.url, bob!, { transports }));
      expect(clients.flatMap(({ disconnects, errors }) => [...disconnects, ...errors])).toEqual([]);

      clients.shift()!.close();
      await eventually('there is room', async () => {
        const next = openClient(running.url, ada!.token, { transports });
        clients.push(next);
        await eventually('it is answered', () => next.ready > 0 || next.errors.length > 0);
        return next.ready > 0;
      });
      for (const client of [...clients, fourth]) client.close();
      await running.stop();
    },
  );

  test('however many come at once, so many are let in', async () => {
    const running = await startTestGateway({ ...base, maxSocketsPerUser: 5 });
    const [ada] = await world.newUsers(1);
    const clients = Array.from({ length: 100 }, () => openClient(running.url, ada!.token));
    const answered = () => clients.filter(({ ready, errors }) => ready > 0 || errors.length > 0).length;
    await eventually('all are answered', () => answered() === 100);
    expect(clients.filter(({ ready }) => ready > 0)).toHaveLength(5);
    expect(new Set(clients.flatMap(({ errors }) => errors.map(({ data }) => data.code)))).toEqual(
      new Set(['too_many_sockets']),
    );
    for (const client of clients) client.close();
    await running.stop();
  });

  test('connects are a user’s requests: beyond the limit the transport is closed, and the client comes back', async () => {
    const running = await startLimited({ RATE_LIMIT_USER: '8' });
    const [ada, bob] = await world.newUsers(2);
    // They are counted by fives.
    for (let at = 0; at < 9; at += 1) (await connectClient(running.url, ada!)).close();
    const last = openClient(running.url, ada!.token, { reconnectionDelay: 10, reconnectionDelayMax: 10 });
    let attempts = 0;
    last.socket.io.on('reconnect_attempt', () => {
      attempts += 1;
    });
    await eventually('it comes back again and again', () => attempts > 3);
    expect([last.ready, last.errors.filter(({ data }) => data)]).toEqual([0, []]);
    expect(last.socket.active).toBe(true);
    (await connectClient(running.url, bob!)).close();
    last.close();
    await running.stop();
  });

  test('an address that begins too much is told to wait before it costs anything, and others are not', async () => {
    const running = await startLimited({ RATE_LIMIT_CONNECT: '60' });
    const statuses: number[] = [];
    for (let at = 0; at < 130; at += 1) statuses.push((await openFrom(running, '192.0.2.1')).status);
    // They are counted by fifties, and what is counted says what becomes of the next one.
    expect(statuses.filter((status) => status === 429).length).toBeWithin(25, 31);
    const refused = await openFrom(running, '192.0.2.1');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeWithin(1, 61);
    expect(await refused.json()).toEqual({ code: 4, message: 'rate_limited' });
    const over = new WebSocket(`${running.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, {
      headers: { 'x-forwarded-for': '192.0.2.1' },
    });
    await new Promise((resolve) => over.addEventListener('close', resolve));
    expect((await openFrom(running, '192.0.2.2')).status).toBe(200);
    await running.stop();
  });

  test('nobody can find an address whose connects are counted with somebody else’s', async () => {
    const running = await startLimited({ RATE_LIMIT_CONNECT: '60' });
    // The last 16 bits of their CRC-32 are the same.
    const [own, others] = ['192.0.2.187', '198.51.100.0'];
    for (let round = 0; round < 3; round += 1) {
      for (let at = 0; at < 49; at += 1) await openFrom(running, own);
      // Whose fiftieth it is takes the points of all.
      expect([round, (await openFrom(running, others)).status]).toEqual([round, 200]);
    }
    await running.stop();
  });

  test('a whole /48 has as much as four addresses', async () => {
    const running = await startLimited({ RATE_LIMIT_CONNECT: '60' });
    const statuses: number[] = [];
    for (let at = 0; at < 450; at += 1)
      statuses.push((await openFrom(running, `2001:db8:1:${(at % 256).toString(16)}00::1`)).status);
    expect(statuses.filter((status) => status === 429).length).toBeWithin(40, 51);
    expect((await openFrom(running, '2001:db8:2::1')).status).toBe(200);
    await running.stop();
  });

  test('connects without a good token are requests of the address; neighbours with one are let in', async () => {
    const running = await startLimited({ RATE_LIMIT_ADDRESS: '10' });
    const [ada, bob] = await world.newUsers(2);
    const expired = await world.tokenFor(bob!, -120);
    const strangers: TestClient[] = [];
    for (let at = 0; at < 10; at += 1) strangers.push(openClient(running.url, 'x'));
    await eventually('all are refused', () => strangers.every(({ errors }) => errors.length > 0));
    const eleventh = openClient(running.url, 'x', { reconnectionDelay: 10, reconnectionDelayMax: 10 });
    let attempts = 0;
    eleventh.socket.io.on('reconnect_attempt', () => {
      attempts += 1;
    });
    await eventually('it is sent away again and again', () => attempts > 2);
    expect(eleventh.errors.filter(({ data }) => data)).toEqual([]);
    (await connectClient(running.url, ada!)).close();
    const forgetful = openClient(running.url, expired);
    await eventually('it hears that its token has ended', () => forgetful.errors.length > 0);
    expect(forgetful.errors[0].data.code).toBe('token_expired');
    for (const client of [...strangers, eleventh, forgetful]) client.close();
    await running.stop();
  });
});
