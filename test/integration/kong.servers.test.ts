import { afterEach, expect, test } from 'bun:test';
import { randomUUID } from 'node:crypto';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { RedisClient } from 'bun';
import postgres from 'postgres';
import { io, type Socket } from 'socket.io-client';
import type {
  Chat,
  MessageEvent,
  SendAccepted,
  ServerToClientEvents,
  TokenPair,
} from '../../src/shared/contract.ts';
import { type Member, serverEnvironment, startMember, untilReady } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { type Balanced, guidesNginx } from '../support/guide-balancers.ts';
import { readKong } from '../support/kong.ts';
import { nginxFromKong } from '../support/nginx-from-kong.ts';
import { newPerson } from '../support/people.ts';
import { testProcesses, untilSays } from '../support/processes.ts';
import { guideBlock, readText } from '../support/repository.ts';
import { realServers } from '../support/servers.ts';

const serviceToken = 'the token of a backend that is not behind Kong';
const listedOrigin = 'https://app.example.com';

const servers = await realServers();
const processes = testProcesses();
const kong = await readKong('kong.yml');
// What docker-compose.yml gives its containers: production, behind a proxy, the schema brought up to date before.
const { DATABASE_URL: ownerUrl = '', ...addresses } = await serverEnvironment(servers);
const environment = {
  ...addresses,
  ...(await restrictedRedis()),
  ...(await restrictedPostgres()),
  NODE_ENV: 'production',
  TRUST_PROXY: 'true',
  JWT_SECRET: 'a secret of these processes alone, made for one test',
  CORS_ORIGINS: listedOrigin,
  SERVICE_TOKEN: serviceToken,
  RATE_LIMIT_LOGIN: '100',
  WEB_CLIENT: 'true',
};
/** A Redis whose user may do what the setup guide lets it, and no more. */
async function restrictedRedis(): Promise<Record<string, string>> {
  const { host, port, url } = await servers.createRedis();
  const REDIS_PASSWORD = ' p@ss word#1 ';
  const rules = (await guideBlock('', 'user default')).trim().split(' ').slice(2);
  const client = new RedisClient(url);
  await client.send('ACL', [
    'SETUSER',
    'default',
    'reset',
    ...rules.map((rule) => rule.replace('<REDIS_PASSWORD>', REDIS_PASSWORD)),
  ]);
  client.close();
  return { REDIS_HOST: host, REDIS_PORT: String(port), REDIS_PASSWORD, CHAT_NOTIFICATION_CHANNEL: '' };
}
/** The role of docker-compose.yml's processes. */
async function restrictedPostgres(): Promise<Record<string, string>> {
  const DATABASE_PASSWORD = "the role's pass'word";
  const text = await readText('deploy/postgres/roles.sql');
  const statements = text
    .replace(/^--.*$/gm, '')
    .replace(":'password'", `'${DATABASE_PASSWORD.replaceAll("'", "''")}'`);
  const admin = postgres(ownerUrl, { max: 1, onnotice: () => {} });
  // It is run at each `up`.
  for (let time = 0; time < 2; time += 1) await admin.unsafe(statements);
  await admin.end();
  const url = Object.assign(new URL(ownerUrl), { username: 'confab', password: '' });
  const role = postgres(url.href, { max: 1, password: DATABASE_PASSWORD });
  for (const statement of ['CREATE TABLE other (id int)', 'CREATE ROLE other', 'CREATE DATABASE other'])
    await expect(role.unsafe(statement).execute()).rejects.toThrow('permission denied');
  await role.end();
  return { DATABASE_URL: url.href, DATABASE_PASSWORD };
}
const migrated = await processes.finish(['src/commands/migrate.ts'], {
  ...environment,
  DATABASE_URL: ownerUrl,
  DATABASE_PASSWORD: '',
});
if (migrated.code !== 0) throw new Error(migrated.output);
const [api, worker, ...gateways] = await Promise.all([
  startMember(processes, 'api', environment),
  startMember(processes, 'worker', environment),
  startMember(processes, 'gateway', environment),
  startMember(processes, 'gateway', environment),
]);
const onLoopback = ({ url }: { url: string }) => `127.0.0.1:${new URL(url).port}`;
const nginx = await servers.createNginx((port) =>
  nginxFromKong(kong, {
    port,
    addresses: {
      'chat-be:3000': [onLoopback(api)],
      'gateway:3001': gateways.map(onLoopback),
    },
  }),
);
const { url } = nginx;
/** Kept open while the other tests run. */
const kept = await Promise.all([api, worker, ...gateways].map(keepOpen));

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.disconnect();
});

const call = (path: string, body?: unknown, headers: Record<string, string> = {}, at = url) =>
  fetch(`${at}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
/** To the byte: `fetch` tidies an address up. */
const raw = (...lines: string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connectTcp(Number(new URL(url).port), '127.0.0.1');
    let received = '';
    socket.on('error', reject);
    socket.on('data', (data) => (received += data));
    socket.on('close', () => resolve(received));
    socket.write(`${[...lines, 'Content-Length: 0', 'Connection: close'].join('\r\n')}\r\n\r\n`);
  });
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

async function signUp(): Promise<TokenPair> {
  const credentials = { email: `${randomUUID()}@example.com`, password: 'correct horse battery staple' };
  expect((await call('/auth/register', credentials)).status).toBe(201);
  const answer = await call('/auth/login', credentials);
  expect(answer.status).toBe(200);
  return (await answer.json()) as TokenPair;
}

async function createChat(token: string, ...userIds: string[]): Promise<Chat> {
  const answer = await call('/chats', { participantUserIds: userIds }, bearer(token));
  expect([200, 201]).toContain(answer.status);
  return (await answer.json()) as Chat;
}

/** Connected, with what it receives. */
async function connect(token: string, options: object = {}) {
  const socket: Socket<ServerToClientEvents> = io(`${url}/chat`, {
    path: '/socket.io',
    auth: { token },
    forceNew: true,
    ...options,
  });
  sockets.push(socket);
  const received: MessageEvent[] = [];
  socket.on('chat.message.new', (event) => received.push(event));
  await eventually('connected', () => socket.connected);
  return { socket, received };
}

/** nginx with the guide's own configuration, and these two for its apis. */
const nginxOfGuide = async (...apis: Balanced['apis']) =>
  servers.createNginx(await guidesNginx({ apis, gateways }));

/** The `ts` blocks of the setup guide, with real values where it says `<…>`. */
async function snippets(values: Record<string, string>): Promise<string[]> {
  const guide = await readText('docs/realtime-chat-setup.md');
  return [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) =>
    Object.entries(values).reduce((text, [from, to]) => text.replaceAll(from, to), code),
  );
}

test('the web client comes through, in production where that is said', async () => {
  for (const path of ['/', '/web/main.js', '/web/style.css', '/web/icon.svg'])
    expect({ path, status: (await call(path)).status }).toEqual({ path, status: 200 });
});

test('the checklist passes', async () => {
  const run = await processes.finish(['src/commands/checklist.ts', '--all', '--api', url, '--socket', url]);
  expect(run.output).toContain('All six steps work, and the 15 after them; 1 is left out.');
  expect(run.code).toBe(0);
}, 30_000);

test('WebSockets are upgraded, without polling before', async () => {
  const { accessToken } = await signUp();
  const { socket } = await connect(accessToken, { transports: ['websocket'] });
  expect(socket.io.engine.transport.name).toBe('websocket');
});

test('default options poll and then upgrade, each client on one of two gateways', async () => {
  const { accessToken } = await signUp();
  const { socket } = await connect(accessToken);
  await eventually('upgraded', () => socket.io.engine.transport.name === 'websocket');
});

test('polling alone delivers: every request of a client reaches its gateway', async () => {
  const [a, b] = [await signUp(), await signUp()];
  const chat = await createChat(a.accessToken, b.user.id);
  const { received } = await connect(b.accessToken, { transports: ['polling'] });
  const contents = Array.from({ length: 10 }, (_, index) => `message ${index}`);
  for (const content of contents) {
    const answer = await call(`/chats/${chat.id}/messages`, { content }, bearer(a.accessToken));
    expect(answer.status).toBe(202);
  }
  await eventually('all received', () => received.length === contents.length);
  expect(received.map(({ message }) => message.content)).toEqual(contents);
});

test("the guide's snippets work as they stand, with KONG_BASE_URL set", async () => {
  const [a, b] = [await signUp(), await signUp()];
  const chat = await createChat(a.accessToken, b.user.id);
  const codes = await snippets({ 'https://api.example.com': url, '<JWT_ACCESS_TOKEN>': b.accessToken });
  const ofKong = codes.find((code) => code.includes('KONG_BASE_URL')) ?? '';
  const handler = codes.find((code) => code.includes("'chat.message.new'")) ?? '';
  const printing = `chatSocket.on('connect', async () => console.log('me', (await apiClient.get('/auth/me')).data.id));`;
  const run = processes.run(['-e', `${ofKong}\n${handler}\n${printing}`]);
  await untilSays(run, `me ${b.user.id}`);
  await call(`/chats/${chat.id}/messages`, { content: 'Hello from sender' }, bearer(a.accessToken));
  await untilSays(run, 'Hello from sender');
  expect(run.output()).toContain(`New realtime message ${chat.id}`);
  await run.kill();
});

test('reactions come through, whatever is written in them', async () => {
  const { accessToken } = await signUp();
  const chat = await createChat(accessToken, (await signUp()).user.id);
  const answer = await call(`/chats/${chat.id}/messages`, { content: 'x' }, bearer(accessToken));
  const { brokerMessageId } = (await answer.json()) as SendAccepted;
  const react = (method: string, key: string) =>
    fetch(`${url}/chats/${chat.id}/messages/${brokerMessageId}/reactions/${encodeURIComponent(key)}`, {
      method,
      headers: bearer(accessToken),
    });
  await eventually('it is stored', async () => (await react('PUT', '👍')).status === 200);
  for (const key of [':a_+b:', '👨‍👩‍👧', '#️⃣', '👍'])
    for (const method of ['PUT', 'DELETE']) expect((await react(method, key)).status, key).toBe(200);
  for (const key of ['a/b', '..\\x', '?', '%'])
    expect([404, 422], key).toContain((await react('PUT', key)).status);
});

test('only the routes of kong.yml are there', async () => {
  const { user, accessToken } = await signUp();
  expect((await call(`/users/${user.id}`, undefined, bearer(accessToken))).status).toBe(200);
  expect((await call('/users?email=nobody@example.com', undefined, bearer(accessToken))).status).toBe(200);
  for (const path of [
    ...['/metrics', '/healthz', '/readyz', '/openapi.json', '/documentation', '/documentation/start.js'],
    // What is for the operator's own backend, however it is spelt.
    ...['/auth/tokens', '/auth/Tokens', '/auth/tokens/', `/users/${user.id}/deactivate`, '/users/external'],
    ...['/users/external/x', '/users/%65xternal/x', '//users/external/x', '/users/./external/x'],
    ...['/chats/../users/external/x', '/chats/%2e%2e/users/external/x', `/users/${user.id}/../external/x`],
    // To nginx a backslash is a letter, to the processes it is a slash.
    ...[
      '/chats\\..\\users\\external\\x',
      '/chats/..\\readyz',
      '/auth\\..\\readyz',
      '/auth/x\\..\\..\\openapi.json',
    ],
    ...['/socket.io\\..\\readyz', '/socket.io/..\\readyz', `/users/${user.id}\\..\\external\\x`],
  ]) {
    const answer = await raw(`PUT ${path} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${serviceToken}`);
    expect(answer, path).toStartWith('HTTP/1.1 404');
    expect(answer, path).toContain('no Route matched with those values');
  }
});

test('nobody who comes through it acts as somebody, whatever token they have; who asks the api itself does', async () => {
  const { user, accessToken } = await signUp();
  const own = { 'X-Act-As': user.id, ...bearer(serviceToken) };
  expect((await call('/auth/me', undefined, own, api.url)).status).toBe(200);
  const path = `/chats/${user.id}/messages/${user.id}`;
  const itself = { ...own, 'X-Act-As': 'service' };
  const found = await fetch(`${api.url}${path}`, { method: 'DELETE', headers: itself });
  expect([found.status, await found.json()]).toMatchObject([404, { code: 'message_not_found' }]);
  for (const headers of [own, itself, { ...own, 'X-Act-As': 'nobody' }, bearer(serviceToken)]) {
    const lines = Object.entries(headers).map((header) => header.join(': '));
    for (const asked of ['GET /auth/me', `DELETE ${path}`]) {
      for (const connection of ['close', 'close, X-Act-As', 'x-act-as']) {
        const answer = await raw(`${asked} HTTP/1.1`, 'Host: x', `Connection: ${connection}`, ...lines);
        expect(answer, lines.join()).toStartWith('HTTP/1.1 401');
        expect(answer, lines.join()).toContain('"code":"token_invalid"');
      }
    }
  }
  // People are none the worse for it.
  const theirs = await call('/auth/me', undefined, { ...bearer(accessToken), 'X-Act-As': randomUUID() });
  expect([theirs.status, await theirs.json()]).toMatchObject([200, { id: user.id }]);
});

test('problems come through as Confab says them', async () => {
  const answer = await call('/chats');
  expect(answer.status).toBe(401);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(await answer.json()).toMatchObject({ code: 'token_missing' });
});

test('a listed origin gets its headers, another is refused at the socket', async () => {
  const preflight = await fetch(`${url}/chats`, {
    method: 'OPTIONS',
    headers: { Origin: listedOrigin, 'Access-Control-Request-Method': 'POST' },
  });
  expect(preflight.headers.get('access-control-allow-origin')).toBe(listedOrigin);
  const handshake = (origin: string) =>
    fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { Origin: origin } });
  expect((await handshake(listedOrigin)).status).toBe(200);
  expect((await handshake('https://elsewhere.example.com')).status).toBe(403);
});

test('a send that is reset, as at the moment in which an api stops listening, is led to the other; nothing else is sent twice', async () => {
  const resets = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
  await new Promise<void>((resolve) => resets.listen(0, '127.0.0.1', resolve));
  const { port } = resets.address() as AddressInfo;
  const balancer = await nginxOfGuide({ url: `http://127.0.0.1:${port}` }, api);
  const [{ accessToken }, other] = [await signUp(), await signUp()];
  const chat = await createChat(accessToken, other.user.id);
  const statuses = async (path: string, body: object) => {
    const seen: number[] = [];
    for (let at = 0; at < 4; at += 1)
      seen.push((await call(path, body, bearer(accessToken), balancer.url)).status);
    return seen.sort();
  };
  expect(await statuses(`/chats/${chat.id}/messages`, { content: 'x' })).toEqual([202, 202, 202, 202]);
  expect(await statuses('/chats', { participantUserIds: [], isGroup: true })).toEqual([201, 201, 502, 502]);
  resets.close();
}, 30_000);

test('the address that counts is the one the proxy saw, whatever the client says of it', async () => {
  const attempt = (index: number) =>
    call('/auth/login', { email: 'nobody@example', password: '' }, { 'X-Forwarded-For': `10.0.0.${index}` });
  const statuses: number[] = [];
  for (let index = 0; index < 130; index += 1) statuses.push((await attempt(index)).status);
  expect(statuses).toContain(429);
});

test('one api after the other is restarted behind nginx, and no request notices', async () => {
  const own = { ...environment, RATE_LIMIT_ENABLED: 'false', SHUTDOWN_DELAY: '2s' };
  const apis = await Promise.all([startMember(processes, 'api', own), startMember(processes, 'api', own)]);
  const balancer = await nginxOfGuide(...apis);
  const ada = await newPerson({ apiUrl: balancer.url, socketUrl: balancer.url });
  const chat = await ada.newChat();
  const seen = new Map<string, number>();
  let restarted = false;
  const ask = async (method: string, path: string, body?: unknown) => {
    const told = await ada
      .call(method, path, body)
      .then((answer) => `${answer.status} ${answer.body?.code ?? ''}`.trim(), String);
    const key = `${method} ${told}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  };
  const client = async (at: number) => {
    while (!restarted) {
      if (at % 2 === 0) await ask('POST', `/chats/${chat.id}/messages`, { content: 'x' });
      else await ask('GET', `/chats/${chat.id}/messages?limit=1`);
      await Bun.sleep(10);
    }
  };
  const clients = Array.from({ length: 8 }, (_, at) => client(at));

  for (const api of apis) {
    api.process.signal('SIGTERM');
    // Whoever asks is told before it stops; what is led here until then is answered.
    await eventually(
      'it says that it is leaving',
      async () => (await fetch(`${api.url}/readyz`)).status === 503,
    );
    expect(await api.process.exited).toBe(0);
    const again = { ...api, process: processes.run(['src/api.ts'], api.env) };
    await untilReady(again);
  }
  restarted = true;
  await Promise.all(clients);
  expect([...seen.keys()].sort()).toEqual(['GET 200', 'POST 202']);
  expect(seen.get('POST 202')).toBeGreaterThan(100);
}, 120_000);

/** A connection that has been used once, and is then left alone. */
async function keepOpen({ url: of, role }: Member) {
  const socket = connectTcp(Number(new URL(of).port), '127.0.0.1');
  let received = '';
  let open = true;
  socket.on('error', () => {});
  socket.on('data', (data) => (received += data));
  socket.on('close', () => (open = false));
  const ask = async () => {
    received = '';
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(`the ${role} answers on it`, () => received.includes('{"status":"ok"}') || !open);
    return received.split('\r\n', 1)[0];
  };
  expect(await ask()).toBe('HTTP/1.1 200 OK');
  return { ask, since: performance.now(), end: () => socket.destroy() };
}

test('a connection that has been idle for longer than Bun keeps one by itself is still good', async () => {
  for (const { ask, since, end } of kept) {
    // By itself it closes one after 8 to 12 s, where Kong and other balancers keep it for 60.
    await Bun.sleep(Math.max(0, since + 13_000 - performance.now()));
    expect(await ask()).toBe('HTTP/1.1 200 OK');
    end();
  }
});

test('Redis and PostgreSQL have refused nothing: their users may do what the processes do', async () => {
  for (const { process } of [api, worker, ...gateways])
    expect(
      process.output().match(/.*(?:NOPERM|WRONGPASS|NOAUTH|permission denied|must be owner).*/g),
    ).toBeNull();
  const ready = await fetch(`${api.url}/readyz`);
  expect(await ready.json()).toMatchObject({ status: 'ready', dependencies: { redis: 'up' } });
});
