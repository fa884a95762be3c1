import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { request as httpRequest } from 'node:http';
import { createLog } from '../../src/shared/log.ts';
import { createAllowedOrigin } from '../../src/shared/origins.ts';
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
} from '../support/gateway-world.ts';
import { runningMs } from '../support/running-time.ts';

const base = await embeddedBase();
const { presence } = base;

/** A WebSocket that speaks Engine.IO by hand. */
interface RawSocket {
  ws: WebSocket;
  frames: string[];
  readonly closed: boolean;
}

/** A body of unknown length; its status. */
function postChunked(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } });
    request.on('response', (response) => resolve(response.statusCode));
    request.on('error', reject);
    request.write('40');
    request.end('0');
  });
}

describe('gateway: hostile and unlucky clients', () => {
  let world: World;
  let running: RunningGateway;
  const clients: TestClient[] = [];
  const sockets: WebSocket[] = [];

  beforeAll(async () => {
    world = await createWorld(base);
    running = await startTestGateway({
      ...base,
      allowedOrigin: (origin) => origin === 'https://app.example.com',
    });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    for (const ws of sockets.splice(0)) ws.close();
  });
  afterAll(() => running.stop());

  function open(...[token, options]: [string | undefined, Parameters<typeof openClient>[2]?]) {
    const client = openClient(running.url, token, options);
    clients.push(client);
    return client;
  }

  async function raw(query = 'EIO=4&transport=websocket', headers: Record<string, string> = {}) {
    const ws = new WebSocket(`ws://localhost:${running.port}/socket.io/?${query}`, { headers });
    sockets.push(ws);
    const frames: string[] = [];
    let closed = false;
    ws.onmessage = ({ data }) => frames.push(String(data));
    ws.onclose = () => {
      closed = true;
    };
    const socket: RawSocket = {
      ws,
      frames,
      get closed() {
        return closed;
      },
    };
    await eventually('it is open or refused', () => ws.readyState === WebSocket.OPEN || closed);
    return socket;
  }

  async function openPolling(): Promise<string> {
    const opening = await fetch(`${running.url}/socket.io/?EIO=4&transport=polling`);
    return JSON.parse((await opening.text()).slice(1)).sid;
  }

  const probe = (sid: string): Promise<RawSocket> => raw(`EIO=4&transport=websocket&sid=${sid}`);

  /** One that begins with long polling, as a client with the default transports does. */
  async function rawUpgraded(): Promise<RawSocket> {
    const socket = await probe(await openPolling());
    socket.ws.send('2probe');
    await eventually('the probe is answered', () => socket.frames.includes('3probe'));
    socket.ws.send('5');
    return socket;
  }

  async function rawInChat(token: string, begin: () => Promise<RawSocket> = raw): Promise<RawSocket> {
    const socket = await begin();
    socket.ws.send(`40/chat,${JSON.stringify({ token })}`);
    await eventually('it is ready', () => socket.frames.some((frame) => frame.includes('chat.ready')));
    return socket;
  }

  /** The gateway is unharmed: a newcomer connects and gets a message. */
  async function works(): Promise<void> {
    const [ada, bob] = await world.newUsers(2);
    const chat = await world.newGroup(ada!, bob!);
    const client = await connectClient(running.url, bob!);
    clients.push(client);
    await world.send(ada!, chat.id, 'still here');
    await eventually('it works', () => client.contents().includes('still here'));
  }

  describe('refusals', () => {
    const wrong: [string, () => Promise<string | undefined>, string][] = [
      ['no token', async () => undefined, 'token_missing'],
      ['garbage', async () => 'garbage', 'token_invalid'],
      [
        'a tampered one',
        async () => `${(await world.newUsers(1))[0]!.token.slice(0, -4)}AAAA`,
        'token_invalid',
      ],
      ['an expired one', async () => world.tokenFor((await world.newUsers(1))[0]!, -120), 'token_expired'],
      [
        'one of an ended session',
        async () => {
          const [user] = await world.newUsers(1);
          await world.endSession(user!);
          return user!.token;
        },
        'session_revoked',
      ],
    ];
    test.each(wrong)('%s: connect_error says so', async (_, token, code) => {
      const client = open(await token());
      await eventually('it is refused', () => client.errors.length > 0);
      expect(client.errors[0].data).toEqual({ code, detail: expect.any(String) });
      expect(client.socket.active).toBe(false);
    });

    test('the token may come in the Authorization header', async () => {
      const [ada] = await world.newUsers(1);
      const client = open(undefined, { extraHeaders: { authorization: `Bearer ${ada!.token}` } });
      await eventually('it is ready', () => client.ready > 0);
    });

    test('other namespaces are refused, the default one too', async () => {
      const [ada] = await world.newUsers(1);
      for (const path of ['', 'other', 'chat/extra', 'Chat']) {
        const socket = openClient(`${running.url}`, ada!.token).socket.io.socket(`/${path}`, {
          auth: { token: ada!.token },
        });
        const error = await new Promise<Error>((resolve, reject) => {
          socket.on('connect_error', resolve);
          socket.on('connect', () => reject(new Error(`/${path} lets in`)));
        });
        expect(error.message).toBe('Invalid namespace');
        socket.io._close();
      }
    });

    test('a foreign origin is refused on either transport, the listed one is let in', async () => {
      const [ada] = await world.newUsers(1);
      const foreign = { extraHeaders: { origin: 'https://evil.example.com' }, reconnection: false };
      for (const transports of [['websocket'], ['polling']]) {
        const client = open(ada!.token, { ...foreign, transports });
        await eventually('it is refused', () => client.errors.length > 0);
        expect(client.ready).toBe(0);
      }
      const url = `${running.url}/socket.io/?EIO=4&transport=polling`;
      const refused = await fetch(url, { headers: { origin: 'https://evil.example.com' } });
      expect(refused.status).toBe(403);
      expect(await refused.json()).toEqual({ code: 4, message: 'origin_not_allowed' });
      expect(refused.headers.get('access-control-allow-origin')).toBe(null);

      const listed = await fetch(url, { headers: { origin: 'https://app.example.com' } });
      expect(listed.status).toBe(200);
      expect(listed.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
      const preflight = await fetch(url, {
        method: 'OPTIONS',
        headers: { origin: 'https://app.example.com', 'access-control-request-method': 'POST' },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get('access-control-allow-methods')).toContain('POST');
      const client = open(ada!.token, { extraHeaders: { origin: 'https://app.example.com' } });
      await eventually('it is ready', () => client.ready > 0);
    });

    test('a page that came from where it asks is let in, and python-socketio, which says so of itself', async () => {
      const production = await startTestGateway({
        ...base,
        allowedOrigin: createAllowedOrigin({
          corsOrigins: undefined,
          environment: 'production',
          trustProxy: false,
        }),
      });
      const [ada] = await world.newUsers(1);
      for (const transports of [['websocket'], ['polling', 'websocket']]) {
        const own = { transports, extraHeaders: { origin: `http://localhost:${production.port}` } };
        (await connectClient(production.url, ada!, own)).close();
      }
      const url = `${production.url}/socket.io/?EIO=4&transport=polling`;
      const own = await fetch(url, { headers: { origin: production.url } });
      expect([own.status, own.headers.get('access-control-allow-origin')]).toEqual([200, production.url]);
      expect((await fetch(url, { headers: { origin: 'http://localhost:1' } })).status).toBe(403);
      await production.stop();
    });

    test('every answer has the headers that keep it from being shown, framed or kept', async () => {
      const at = (query: string, init?: RequestInit) => fetch(`${running.url}/socket.io/${query}`, init);
      const polling = '?EIO=4&transport=polling';
      const opened = await at(polling);
      const { sid } = JSON.parse((await opened.text()).slice(1));
      const answers = [
        opened,
        await at(`${polling}&sid=${sid}`, { method: 'POST', body: '40' }),
        await at(`${polling}&sid=${sid}`),
        await at(`${polling}&sid=nobody`),
        await at('?EIO=4&transport=websocket'),
        await at('?EIO=3&transport=polling'),
        await at(polling, { headers: { origin: 'https://evil.example.com' } }),
        await at(polling, { method: 'OPTIONS' }),
        await at('socket.io.js'),
      ];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 400, 400, 400, 403, 204, 404]);
      for (const { headers } of answers) {
        expect(headers.get('cache-control')).toBe('no-store');
        expect(headers.get('x-content-type-options')).toBe('nosniff');
        expect(headers.get('x-frame-options')).toBe('DENY');
        expect(headers.get('content-security-policy')).toContain("default-src 'none'");
        expect(headers.get('vary')).toContain('Origin');
      }
    });

    test('a page of an allowed origin may send the headers that it asks for', async () => {
      const ask = (origin: string, headers: string) =>
        fetch(`${running.url}/socket.io/?EIO=4&transport=polling`, {
          method: 'OPTIONS',
          headers: {
            origin,
            'access-control-request-method': 'POST',
            'access-control-request-headers': headers,
          },
        });
      const wanted = 'authorization,x-my-header,sentry-trace';
      const asked = await ask('https://app.example.com', wanted);
      expect(asked.headers.get('access-control-allow-headers')).toBe(wanted);
      expect(asked.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
      const foreign = await ask('https://evil.example.com', wanted);
      expect(foreign.headers.get('access-control-allow-origin')).toBe(null);
      const strange = await ask('https://app.example.com', `x:${'y'.repeat(5_000)}`);
      expect(strange.headers.get('access-control-allow-headers')).toBe('Authorization, Content-Type');
    });

    test('requests that are none of the protocol are answered', async () => {
      const at = (query: string, init?: RequestInit) => fetch(`${running.url}/socket.io/${query}`, init);
      expect((await at('?EIO=4&transport=websocket')).status).toBe(400);
      expect((await at('?EIO=4&transport=carrier-pigeon')).status).toBe(400);
      expect((await at('?EIO=3&transport=polling')).status).toBe(400);
      expect((await at('?EIO=4&transport=polling&sid=nobody')).status).toBe(400);
      expect((await at('?EIO=4&transport=polling', { method: 'POST', body: '40' })).status).toBe(400);
      expect((await at('?EIO=4&transport=polling', { method: 'DELETE' })).status).toBe(400);
      expect((await at('socket.io.js')).status).toBe(404);
      const large = { method: 'POST', body: 'x'.repeat(300_000) };
      expect((await at('?EIO=4&transport=polling&sid=nobody', large)).status).toBe(413);
      expect(await postChunked(`${running.url}/socket.io/?EIO=4&transport=polling&sid=nobody`)).toBe(411);
    });
  });

  test.each([[['polling']], [['polling', 'websocket']], [['websocket']]])(
    'messages arrive over %p',
    async (transports) => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const client = await connectClient(running.url, bob!, { transports });
      clients.push(client);
      const expected = Array.from({ length: 100 }, (_, at) => `${at}`);
      for (const content of expected) {
        await world.send(ada!, chat.id, content);
        if (Number(content) % 10 === 0) await Bun.sleep(1);
      }
      await eventually('all arrive', () => client.seen.length >= expected.length);
      expect(client.contents('chat.message.new')).toEqual(expected);
      if (transports.length > 1) {
        await eventually('it upgrades', () => client.socket.io.engine.transport.name === 'websocket');
      }
    },
  );

  test.each([[['polling']], [['polling', 'websocket']], [['websocket']]])(
    'a program that emits binary events stays connected over %p, and the log says so once',
    async (transports) => {
      const lines: string[] = [];
      const log = createLog({ logLevel: 'info' }, 'test', { write: (line: string) => void lines.push(line) });
      const told = await startTestGateway({ ...base, log });
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const client = openClient(told.url, bob!.token, { transports });
      clients.push(client);
      client.socket.on('connect', () => {
        for (let at = 0; at < 5; at += 1)
          client.socket.emit('typing', new Uint8Array(100), { also: Buffer.from('x') });
      });
      await eventually('it is ready', () => client.ready > 0);
      await eventually('the log says so', () => lines.some((line) => line.includes('binary')));
      await world.send(ada!, chat.id, 'after it');
      await eventually('it goes on', () => client.contents().includes('after it'));
      expect([client.disconnects, client.ready]).toEqual([[], 1]);
      expect(lines.filter((line) => line.includes('binary')).length).toBeLessThan(3);
      await told.stop();
    },
  );

  const floods: [string, (socket: RawSocket) => void][] = [
    ['a 1 MB frame', ({ ws }) => ws.send(`42/chat,["x","${'x'.repeat(1_000_000)}"]`)],
    ['a 70 KB frame that is not its first', ({ ws }) => ws.send(`42/chat,["x","${'x'.repeat(70_000)}"]`)],
    ['the same of fewer characters', ({ ws }) => ws.send(`42/chat,["x","${'é'.repeat(35_000)}"]`)],
    ['an unknown packet', ({ ws }) => ws.send('9')],
    ['an empty frame', ({ ws }) => ws.send('')],
    ['a message of nothing', ({ ws }) => ws.send('4')],
    ['the end of the connection', ({ ws }) => ws.send('1')],
    ['a ping of its own', ({ ws }) => ws.send('2')],
    ['a broken Socket.IO packet', ({ ws }) => ws.send('42/chat,[')],
    ['a packet that is not an event', ({ ws }) => ws.send('42/chat,{"a":1}')],
    ['a reserved event', ({ ws }) => ws.send('42/chat,["disconnect"]')],
    ['an unknown Socket.IO type', ({ ws }) => ws.send('49')],
    ['a second CONNECT', ({ ws }) => ws.send('40/chat,{}')],
    ['an event for a namespace it is not in', ({ ws }) => ws.send('42/other,["x"]')],
    ['JSON nested ten thousand deep', ({ ws }) => ws.send(`42/chat,["x",${'['.repeat(10_000)}`)],
    ['leaving the namespace', ({ ws }) => ws.send('41/chat,')],
    [
      'a thousand events',
      ({ ws }) => {
        for (let at = 0; at < 1_000; at += 1) ws.send('42/chat,["x"]');
      },
    ],
    [
      'a thousand pongs that nobody asked for',
      ({ ws }) => {
        for (let at = 0; at < 1_000; at += 1) ws.send('3');
      },
    ],
  ];
  const tolerated: [string, ...(string | Uint8Array)[]][] = [
    ['an event', '42/chat,["chat.message.new",{"forged":true}]'],
    ['an event that asks for an answer', '42/chat,7["x"]'],
    ['an answer to nothing', '43/chat,7[]'],
    ['a well-formed event nested a thousand deep', `42/chat,["x",${'['.repeat(1_000)}${']'.repeat(1_000)}]`],
    ['an error event', '42/chat,["error","x"]'],
    ['an event with an attachment', '451-/chat,["x",{"_placeholder":true,"num":0}]', new Uint8Array(100)],
    ['an answer with an attachment', '461-/chat,7[{"_placeholder":true,"num":0}]', new Uint8Array(100)],
    ['a packet that promises attachments', '4510-/chat,["x",{"_placeholder":true,"num":0}]'],
    ['an attachment to nothing', new Uint8Array(60_000)],
    ['an attachment in base64', 'bAAAA'],
  ];
  describe.each([
    ['that is a WebSocket from the beginning', raw],
    ['upgraded from long polling', rawUpgraded],
  ] satisfies [string, () => Promise<RawSocket>][])('a connection %s', (_, begin) => {
    test.each(floods)('%s closes its own connection and harms nobody', async (__, attack) => {
      const [ada] = await world.newUsers(1);
      const socket = await rawInChat(ada!.token, begin);
      attack(socket);
      await eventually('it is closed', () => socket.closed);
      await works();
    });

    const tooEarly = ['41/chat,', '42/chat,["x"]', '43/chat,7[]', '44/chat,{}', '451-/chat,["x"]', 'bAAAA'];
    test.each(tooEarly)('%s before CONNECT closes it', async (frame) => {
      const socket = await begin();
      socket.ws.send(frame);
      await eventually('it is closed', () => socket.closed);
    });

    test('who is refused may ask again, and is told the same as by Socket.IO', async () => {
      const [ada] = await world.newUsers(1);
      const socket = await begin();
      const last = () => socket.frames.at(-1);
      socket.ws.send('40{}');
      await eventually('it is refused', () => last() === '44{"message":"Invalid namespace"}');
      socket.ws.send('40/other,{}');
      await eventually('it is refused', () => last() === '44/other,{"message":"Invalid namespace"}');
      socket.ws.send('40/chat,{"token":"x"}');
      await eventually('it is refused', () => last()?.startsWith('44/chat,') === true);
      expect(JSON.parse(last()!.slice(8))).toEqual({
        message: expect.any(String),
        data: { code: 'token_invalid', detail: expect.any(String) },
      });
      socket.ws.send(`40/chat,${JSON.stringify({ token: ada!.token })}`);
      await eventually('it is ready', () => last() === '42/chat,["chat.ready",{"membershipVersion":0}]');
      expect(socket.frames.at(-2)).toMatch(/^40\/chat,{"sid":"[\w-]{20,}"}$/);
    });

    test.each(tolerated)('%s from a client is ignored', async (__, ...sent) => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const socket = await rawInChat(ada!.token, begin);
      for (const frame of sent) socket.ws.send(frame);
      await world.send(bob!, chat.id, 'after it');
      await eventually('it goes on', () => socket.frames.some((one) => one.includes('after it')));
      expect(socket.closed).toBe(false);
      expect(socket.frames.filter((one) => one.startsWith('43'))).toEqual([]);
    });

    test('strange tokens and auth payloads are refusals, not errors', async () => {
      const auths = [
        '{"token":{"a":1}}',
        '{"token":[]}',
        '{"token":7}',
        '{"__proto__":{"token":"x"}}',
        '{}',
        '',
      ];
      for (const auth of [...auths, `{"token":"${'x'.repeat(60_000)}"}`]) {
        const socket = await begin();
        socket.ws.send(`40/chat,${auth}`);
        await eventually('it is refused', () => socket.frames.some((frame) => frame.startsWith('44/chat,')));
        const refusal = JSON.parse(socket.frames.at(-1)!.slice('44/chat,'.length));
        expect(refusal.data.code).toMatch(/^token_(missing|invalid)$/);
      }
      const [ada] = await world.newUsers(1);
      const known = [
        '"membershipsSince":1e999',
        '"membershipsSince":9007199254740992',
        '"membershipsSince":-1',
      ];
      for (const cursors of [`{"${ada!.id}":1e999}`, '{"__proto__":1}', '{"constructor":1}', '1e999'])
        known.push(`"membershipsSince":0,"cursors":${cursors}`);
      for (const given of known) {
        const socket = await begin();
        socket.ws.send(`40/chat,{"token":"${ada!.token}",${given}}`);
        await eventually('it is refused', () => socket.frames.some((frame) => frame.startsWith('44/chat,')));
        const refusal = JSON.parse(socket.frames.at(-1)!.slice('44/chat,'.length));
        expect([given, refusal.data.code]).toEqual([given, 'validation_failed']);
      }
      const nested = await begin();
      nested.ws.send(`40/chat,{"token":${'['.repeat(5_000)}${']'.repeat(5_000)}}`);
      await eventually(
        'it is refused or closed',
        () => nested.closed || nested.frames.some((frame) => frame.startsWith('44')),
      );
      await works();
    });

    test('two CONNECTs in one breath make no two sockets', async () => {
      const [ada] = await world.newUsers(1);
      const socket = await begin();
      socket.ws.send(`40/chat,${JSON.stringify({ token: ada!.token })}`);
      socket.ws.send(`40/chat,${JSON.stringify({ token: ada!.token })}`);
      await eventually('it is closed', () => socket.closed);
      await eventually('it is gone', async () => !(await presence.online([ada!.id])).has(ada!.id));
    });
  });

  test('the opening is what Engine.IO says, and a session over WebSocket is none that could be polled', async () => {
    const { frames } = await raw();
    await eventually('it is open', () => frames.length > 0);
    const opening = JSON.parse(frames[0]!.slice(1));
    expect(frames[0]![0]).toBe('0');
    expect(opening).toEqual({
      sid: expect.stringMatching(/^[\w-]{20,}$/),
      upgrades: [],
      pingInterval: 25_000,
      pingTimeout: 20_000,
      maxPayload: 262_144,
    });
    const polled = await fetch(`${running.url}/socket.io/?EIO=4&transport=polling&sid=${opening.sid}`);
    expect(polled.status).toBe(400);
  });

  test('a connection that says nothing is closed soon, one that never joins /chat later', async () => {
    const began = performance.now();
    const lived = async (socket: RawSocket) => {
      await eventually('it is closed', () => socket.closed, 30_000);
      return performance.now() - began;
    };
    const silent = raw().then(lived);
    const probing = openPolling().then(probe).then(lived);
    const refused = raw().then((socket) => {
      socket.ws.send('40/chat,{}');
      return lived(socket);
    });
    expect(await silent).toBeWithin(1_500, 5_000);
    expect(await probing).toBeWithin(1_500, 5_000);
    expect(await refused).toBeWithin(8_000, 14_000);
  }, 40_000);
});

describe('gateway: its limits', () => {
  /** A WebSocket that says nothing, once it is open. */
  async function openSilent(port: number, address?: string): Promise<WebSocket> {
    const headers = address === undefined ? {} : { 'x-forwarded-for': address };
    const url = `ws://localhost:${port}/socket.io/?EIO=4&transport=websocket`;
    const ws = new WebSocket(url, { headers });
    let greeted = false;
    ws.addEventListener('message', () => {
      greeted = true;
    });
    await eventually('it is greeted or closed', () => greeted || isClosed(ws));
    return ws;
  }
  const isClosed = (ws: WebSocket) => ws.readyState === WebSocket.CLOSED;
  const polling = 'EIO=4&transport=polling';

  test('beyond so many handshakes the oldest that says nothing is closed for a new one', async () => {
    const limits = { most: 5, mostOfNetwork: 5, mostOfAddress: 5 };
    const running = await startTestGateway({ ...base, handshakeLimits: limits });
    const silent: WebSocket[] = [];
    for (let at = 0; at < 8; at += 1) silent.push(await openSilent(running.port));
    await eventually('three are closed', () => silent.filter(isClosed).length === 3);
    expect(silent.map(isClosed)).toEqual([true, true, true, false, false, false, false, false]);
    const [ada] = await (await createWorld(base)).newUsers(1);
    const client = await connectClient(running.url, ada!);
    expect(client.errors).toEqual([]);
    client.close();
    for (const ws of silent) ws.close();
    await running.stop();
  });

  test.each([
    ['nothing', polling],
    ['an empty sid', `${polling}&sid=`],
    ['two empty sids', `${polling}&sid=&sid=x`],
    ['an empty sid, over WebSocket', 'EIO=4&transport=websocket&sid='],
    ['an sid without a value, over WebSocket', 'sid&EIO=4&transport=websocket'],
  ])('a handshake with %s is counted', async (_, query) => {
    const limits = { most: 3, mostOfNetwork: 3, mostOfAddress: 3 };
    const running = await startTestGateway({ ...base, handshakeLimits: limits });
    const others = await Promise.all([1, 2, 3].map(() => openSilent(running.port)));
    for (let at = 0; at < 3; at += 1) {
      if (query.includes('polling')) {
        const opened = await fetch(`${running.url}/socket.io/?${query}`);
        expect([opened.status, await opened.text()]).toEqual([200, expect.stringMatching(/^0{"sid"/)]);
      } else {
        const ws = new WebSocket(`ws://localhost:${running.port}/socket.io/?${query}`);
        await new Promise((resolve) => ws.addEventListener('message', resolve));
        others.push(ws);
      }
    }
    await eventually('the three before are closed', () => others.slice(0, 3).every(isClosed));
    for (const ws of others) ws.close();
    await running.stop();
  });

  test('what begins nothing closes nobody', async () => {
    const limits = { most: 2, mostOfNetwork: 2, mostOfAddress: 2 };
    const running = await startTestGateway({
      ...base,
      handshakeLimits: limits,
      allowedOrigin: () => false,
    });
    const silent = await Promise.all([1, 2].map(() => openSilent(running.port)));
    const at = (query: string, init?: RequestInit) => fetch(`${running.url}/socket.io/?${query}`, init);
    const upgrade = {
      upgrade: 'websocket',
      connection: 'upgrade',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    const foreign = { origin: 'https://evil.example' };
    expect((await at(`${polling}&sid=nobody`)).status).toBe(400);
    expect((await at('EIO=4&transport=websocket&sid=nobody', { headers: upgrade })).status).toBe(400);
    expect((await at('EIO=3&transport=polling')).status).toBe(400);
    expect((await at(polling, { method: 'POST', body: '40' })).status).toBe(400);
    expect((await at(polling, { headers: foreign })).status).toBe(403);
    expect((await at('EIO=4&transport=websocket', { headers: { ...upgrade, ...foreign } })).status).toBe(403);
    expect(silent.map(isClosed)).toEqual([false, false]);
    for (const ws of silent) ws.close();
    await running.stop();
  });

  test('one address cannot take all the room: it closes its own, others are let in beside it', async () => {
    const limits = { most: 10, mostOfNetwork: 6, mostOfAddress: 3 };
    const running = await startTestGateway({ ...base, handshakeLimits: limits, trustProxy: true });
    const other = await openSilent(running.port, '192.0.2.2');
    // What stands before the proxy's own entry is the client's word.
    const flood: WebSocket[] = [];
    for (let at = 0; at < 20; at += 1) flood.push(await openSilent(running.port, `192.0.2.${at}, 192.0.2.1`));
    await eventually('it has three', () => flood.filter(isClosed).length === 17);
    // A whole /48, each /64 once.
    for (let at = 0; at < 20; at += 1) flood.push(await openSilent(running.port, `2001:db8:1:${at}00::1`));
    await eventually('it has six', () => flood.filter(isClosed).length === 31);
    expect(isClosed(other)).toBe(false);
    expect(isClosed(await openSilent(running.port, '192.0.2.3'))).toBe(false);
    await running.stop();
  });

  test('whoever opens all that they can, honest users connect at their first attempt', async () => {
    const limits = { most: 200, mostOfNetwork: 100, mostOfAddress: 50 };
    const running = await startTestGateway({ ...base, handshakeLimits: limits, trustProxy: true });
    const users = await (await createWorld(base)).newUsers(40);
    let flooding = true;
    let opened = 0;
    /** As fast as they are closed: from one address, and from all of a /48. */
    const flood = async (address: () => string) => {
      while (flooding) {
        const ws = await openSilent(running.port, address());
        opened += 1;
        if (opened % 3 === 0) ws.send('40/chat,{"token":"x"}');
      }
    };
    const ofSite = () => `2001:db8:1:${(Math.floor(Math.random() * 256) << 8).toString(16)}::1`;
    const floods = Array.from({ length: 8 }, (_, at) => flood(at % 2 ? ofSite : () => '192.0.2.1'));
    await eventually('there is no room left to them', () => opened > 400);
    for (const [at, user] of users.entries()) {
      const extraHeaders = { 'x-forwarded-for': `198.51.100.${at}` };
      const transports = at % 4 ? ['websocket'] : ['polling', 'websocket'];
      const client = await connectClient(running.url, user, { extraHeaders, transports });
      expect([client.errors, client.disconnects]).toEqual([[], []]);
      client.close();
    }
    flooding = false;
    await Promise.all(floods);
    await running.stop();
  });

  test('who has joined takes no room, on either transport', async () => {
    const limits = { most: 10, mostOfNetwork: 10, mostOfAddress: 1 };
    const running = await startTestGateway({ ...base, handshakeLimits: limits });
    const users = await (await createWorld(base)).newUsers(4);
    const clients: TestClient[] = [];
    for (const [at, user] of users.entries()) {
      clients.push(
        await connectClient(running.url, user, { transports: at % 2 ? ['polling'] : ['websocket'] }),
      );
    }
    expect(clients.flatMap(({ errors }) => errors)).toEqual([]);
    for (const client of clients) client.close();
    await running.stop();
  });

  test.each([[['websocket']], [['polling', 'websocket']]])(
    'an error that is not about the client closes its transport over %p, so that it tries again by itself',
    async (transports) => {
      let failing = true;
      const world = await createWorld(base);
      const [ada] = await world.newUsers(1);
      const identity = { userId: ada!.id, sessionId: ada!.sessionId, expiresAt: Date.now() / 1000 + 60 };
      const running = await startTestGateway({
        ...base,
        verifyToken: async () => {
          if (failing) throw new Error('not expected');
          return identity;
        },
      });
      const client = openClient(running.url, 'any', { transports });
      await eventually('it has been turned away', () => client.socket.io.engine?.readyState === 'closed');
      // A poll that is cut short is an error of the client's transport; a refusal would have `data`, and end the attempts.
      expect(client.errors.filter(({ data }) => data !== undefined)).toEqual([]);
      expect(client.socket.active).toBe(true);
      failing = false;
      await eventually('it comes back', () => client.ready > 0);
      client.close();
      await running.stop();
    },
  );

  test.each([[['websocket']], [['polling']], [['polling', 'websocket']]])(
    'a session that ends while its socket connects over %p is told so, and is never in',
    async (transports) => {
      const gate = Promise.withResolvers<void>();
      // The chats, and what was read in them.
      const asked = { memberships: 0, sessions: 0 };
      const query = async <Row extends object>(text: string, parameters: readonly unknown[]) => {
        const rows = await base.database.query<Row>(text, parameters);
        if (/FROM sessions/i.test(text)) asked.sessions += 1;
        if (!/chat_participants/.test(text)) return rows;
        asked.memberships += 1;
        await gate.promise;
        return rows;
      };
      const world = await createWorld(base);
      const [ada] = await world.newUsers(1);
      const database = { ...base.database, query };
      const running = await startTestGateway({ ...base, database });
      const client = openClient(running.url, ada!.token, { transports });
      await eventually('it has been found alive', () => asked.memberships === 1 && asked.sessions === 1);
      await world.endSession(ada!);
      await eventually('the end has been looked at', () => asked.sessions === 2);
      gate.resolve();
      await eventually('it is refused', () => client.errors.length > 0);
      expect([client.errors[0].data.code, client.ready]).toEqual(['session_revoked', 0]);
      client.close();
      await running.stop();
    },
  );

  test('after everybody has left nothing is subscribed and nobody is online', async () => {
    const topics = new Set<string>();
    const subscriber: typeof base.subscriber = {
      ...base.subscriber,
      async subscribe(wanted) {
        for (const topic of wanted) topics.add(topic);
      },
      async unsubscribe(unwanted) {
        for (const topic of unwanted) topics.delete(topic);
      },
    };
    const world = await createWorld(base);
    const users = await world.newUsers(20);
    await world.newGroup(...users);
    const running = await startTestGateway({ ...base, subscriber });
    const clients = users.map((user) => openClient(running.url, user.token));
    // Some leave while they are still connecting, some are refused.
    for (const client of clients.slice(0, 10)) setTimeout(client.close, Math.random() * 20);
    for (const user of users.slice(15)) await world.endSession(user);
    await eventually('the others are ready', () => clients.slice(10, 15).every((one) => one.ready > 0));
    expect(topics.size).toBeGreaterThan(5);
    for (const client of clients) client.close();
    await eventually('nothing is subscribed', () => topics.size === 0);
    const online = () => presence.online(users.map(({ id }) => id));
    await eventually('nobody is online', async () => (await online()).size === 0);
    await running.stop();
  });

  test('draining refuses newcomers and closes transports, so that plain clients go elsewhere', async () => {
    const world = await createWorld(base);
    const users = await world.newUsers(60);
    const leaving = await startTestGateway(base);
    const clients = await Promise.all(users.map((user) => connectClient(leaving.url, user)));
    const began = runningMs();
    const drained = leaving.gateway.drain(300);
    expect(leaving.gateway.ready()).toBe(false);
    expect((await fetch(`${leaving.url}/socket.io/?EIO=4&transport=polling`)).status).toBe(503);
    await drained;
    expect(runningMs() - began).toBeLessThan(2_000);
    await eventually('all are closed', () => clients.every((one) => one.disconnects.length > 0));
    for (const one of clients) {
      expect(one.disconnects).toEqual(['transport close']);
      expect(one.socket.active).toBe(true);
      one.close();
    }
    expect(await presence.online(users.map(({ id }) => id))).toEqual(new Set());
    await leaving.stop();
  });
});
