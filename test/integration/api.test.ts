import { afterAll, describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { Hono } from 'hono';
import pino from 'pino';
import type { ApiEnv } from '../../src/api/env.ts';
import type { Dependency } from '../../src/api/routes/health.ts';
import type { Database } from '../../src/db/database.ts';
import { createEmbeddedRateLimits } from '../../src/shared/admission/embedded.ts';
import { parseConfig } from '../../src/shared/config.ts';
import type { Problem } from '../../src/shared/contract.ts';
import { createTestApi, type TestApi, type TestApiOptions, testPassword } from '../support/api.ts';
import { embeddedBase } from '../support/api-bases.ts';

const base = await embeddedBase();
const open = (options: Partial<TestApiOptions> = {}) => createTestApi({ ...base, ...options });
const problemOf = async (answer: Response) => (await answer.json()) as Problem;

describe('every answer', () => {
  test('carries the caller’s request id where it is sane, else a new one', async () => {
    const { call } = await open();
    const idFor = async (given?: string) =>
      (
        await call(
          'GET',
          '/healthz',
          undefined,
          given === undefined ? {} : { headers: { 'X-Request-Id': given } },
        )
      ).headers.get('x-request-id');
    expect(await idFor('abc-123_X')).toBe('abc-123_X');
    const minted = await Promise.all([idFor(), idFor('x'.repeat(129)), idFor('a b'), idFor('<script>')]);
    for (const id of minted) expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(minted).size).toBe(4);
  });

  test('lets no page of another origin use it as anything but data', async () => {
    const { get } = await open();
    const { headers } = await get('/healthz');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.has('x-powered-by')).toBe(false);
  });

  test('may be read by the origins of the list, with what they need to see, and by no other', async () => {
    const { call } = await open({ environment: { CORS_ORIGINS: 'https://app.example.com' } });
    const from = (Origin: string, method = 'GET') =>
      call(method, '/auth/me', undefined, {
        headers: {
          Origin,
          'Access-Control-Request-Method': 'GET',
          'Access-Control-Request-Headers': 'authorization,traceparent',
        },
      });
    const own = await from('https://app.example.com');
    expect(own.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect(own.headers.get('access-control-expose-headers')).toBe('Retry-After,X-Request-Id');
    expect((await from('https://evil.example.com')).headers.has('access-control-allow-origin')).toBe(false);
    const preflight = await from('https://app.example.com', 'OPTIONS');
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization,traceparent');
    expect(preflight.headers.get('access-control-allow-methods')).toContain('DELETE');
  });

  test('may be read by a page that came from the host it calls, which in production is all without a list', async () => {
    const { call } = await open({ environment: { NODE_ENV: 'production' } });
    const path = `/chats/${crypto.randomUUID()}/messages`;
    for (const method of ['GET', 'OPTIONS', 'PUT']) {
      for (const [origin, host] of [
        ['https://chat.example', 'chat.example'],
        ['https://evil.example', 'chat.example'],
      ] as const) {
        const { headers } = await call(method, path, undefined, { headers: { Origin: origin, Host: host } });
        const allowed = headers.get('access-control-allow-origin');
        expect([method, origin, allowed]).toEqual([method, origin, origin.includes(host) ? origin : null]);
      }
    }
  });
});

test('the log has a line a request, without tokens, passwords, emails or bodies', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
  const { call, signUp } = await open({ log });
  const pair = await signUp();
  const token = pair.accessToken;
  await call('GET', `/users?email=${pair.email}`, undefined, {
    token,
    headers: { 'X-Request-Id': 'the-look-up' },
  });
  await call('POST', '/auth/login', { email: pair.email, password: 'a wrong password' });
  await call('POST', '/auth/refresh', { refreshToken: pair.refreshToken });
  await call('POST', '/auth/login', `{"password":"${testPassword}"`);
  await call('GET', `/nowhere/${pair.email}`);

  const entries = lines.map((line) => JSON.parse(line));
  expect(entries).toHaveLength(7);
  expect(entries.find(({ requestId }) => requestId === 'the-look-up')).toMatchObject({
    msg: 'request',
    method: 'GET',
    route: '/users',
    status: 200,
    userId: pair.user.id,
  });
  const all = lines.join('');
  for (const secret of [token, pair.refreshToken, testPassword, 'a wrong password', pair.email]) {
    expect(all).not.toContain(secret);
  }
});

describe('errors', () => {
  const failing = (error: Error): Partial<TestApiOptions> => ({
    chatRoutes: () => new Hono<ApiEnv>().get('/fails', () => Promise.reject(error)),
  });

  test('500: one that is not known is told by its request id alone, and logged', async () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => lines.push(line) });
    const { get } = await open({ ...failing(new Error('the secret is hunter2')), log });
    const answer = await get('/fails');
    const problem = await problemOf(answer);
    expect(answer.status).toBe(500);
    expect(problem).toMatchObject({ code: 'internal_error', requestId: answer.headers.get('x-request-id') });
    expect(JSON.stringify(problem)).not.toContain('hunter2');
    expect(lines.join('')).toContain('the secret is hunter2');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ requestId: problem.requestId });
  });

  test('what PostgreSQL and drizzle quote of a row stays out of the log', async () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => lines.push(line) });
    const insert = `INSERT INTO users (id, email, display_name) VALUES ('${crypto.randomUUID()}', 'SECRET@example.com', '')`;
    const api = await open({
      log,
      chatRoutes: () =>
        new Hono<ApiEnv>().get('/fails', async (c) => {
          await base.database.query(insert, []);
          return c.body(null);
        }),
    });
    expect((await api.get('/fails')).status).toBe(500);
    expect(lines.join('')).toContain('23514');
    expect(lines.join('')).not.toContain('SECRET');
  });

  test('503: a database that is not there is said to be so, with when to come again', async () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7'), { code: 'ECONNREFUSED' });
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => lines.push(line) });
    const { get } = await open({ ...failing(refused), log });
    const answer = await get('/fails');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 40, reason: 'connect ECONNREFUSED 10.0.0.7' });
    const problem = await problemOf(answer);
    expect(problem.code).toBe('database_unavailable');
    expect(JSON.stringify(problem)).not.toContain('10.0.0.7');
  });

  test('503: a database that never answers hangs nobody', async () => {
    const silent: Database = { ...base.database, query: () => new Promise(() => {}) };
    const { call } = await open({ database: silent, deadlineMs: 30 });
    const answer = await call('POST', '/auth/login', { email: 'a@example.com', password: testPassword });
    expect(answer.status).toBe(503);
    expect(answer.headers.has('retry-after')).toBe(true);
    expect((await problemOf(answer)).code).toBe('database_unavailable');
  });

  test('503: a route that waits for something else says for what', async () => {
    const { get } = await open({
      deadlineMs: 30,
      chatRoutes: () =>
        new Hono<ApiEnv>().get('/waits', (c) => {
          c.set('deadlineCode', 'broker_unavailable');
          return new Promise(() => {});
        }),
    });
    expect((await problemOf(await get('/waits'))).code).toBe('broker_unavailable');
  });

  test('a store of facts that knows nothing changes no answer', async () => {
    const facts = { ...base.facts, read: async (wanted: readonly unknown[]) => wanted.map(() => undefined) };
    const { get, signUp } = await open({ facts });
    const { accessToken } = await signUp();
    expect((await get('/auth/me', accessToken)).status).toBe(200);
  });

  test('a known session is served while PostgreSQL is asked nothing', async () => {
    let asked = 0;
    const database: Database = {
      ...base.database,
      query: (text, parameters) => {
        if (text.includes('FROM sessions')) asked += 1;
        return base.database.query(text, parameters);
      },
    };
    const { get, signUp } = await open({ database });
    const { accessToken } = await signUp();
    asked = 0;
    for (let times = 0; times < 5; times += 1) expect((await get('/auth/me', accessToken)).status).toBe(200);
    expect(asked).toBe(1);
  });
});

describe('limits', () => {
  const limited = async (environment: Record<string, string>) => {
    const { rateLimits } = parseConfig(environment);
    return open({ environment, rateLimits: createEmbeddedRateLimits(rateLimits) });
  };
  const statuses = async (times: number, ask: () => Promise<Response>) => {
    const all: number[] = [];
    for (let time = 0; time < times; time += 1) all.push((await ask()).status);
    return all;
  };

  test('429: a user’s requests, with when to come again', async () => {
    const { get, signUp } = await limited({ RATE_LIMIT_USER: '2' });
    const [ada, bob] = [await signUp(), await signUp()];
    expect(await statuses(3, () => get('/auth/me', ada.accessToken))).toEqual([200, 200, 429]);
    const refused = await get('/auth/me', ada.accessToken);
    expect(Number(refused.headers.get('retry-after'))).toBeWithin(1, 61);
    expect((await problemOf(refused)).code).toBe('rate_limited');
    expect((await get('/auth/me', bob.accessToken)).status).toBe(200);
  });

  test('429: an address’s requests, also those with a token that is none', async () => {
    const { get } = await limited({ RATE_LIMIT_ADDRESS: '2' });
    expect(await statuses(3, () => get('/auth/me', 'garbage'))).toEqual([401, 401, 429]);
  });

  test('429: sign-ins of an address', async () => {
    const { post } = await limited({ RATE_LIMIT_LOGIN: '2' });
    const login = () => post('/auth/refresh', { refreshToken: 'x' });
    expect(await statuses(3, login)).toEqual([401, 401, 429]);
  });

  test('429: a tenth as many wrong passwords for one email, then the right one too', async () => {
    const { call, post, signUp } = await limited({ RATE_LIMIT_LOGIN: '20', TRUST_PROXY: 'true' });
    const { email } = await signUp();
    let address = 0;
    const login = (password: string) => {
      address += 1;
      return call(
        'POST',
        '/auth/login',
        { email, password },
        { headers: { 'X-Forwarded-For': `192.0.2.${address}` } },
      );
    };
    // signUp() has taken one of the twenty points: a wrong password takes ten.
    expect(await statuses(2, () => login('wrong password'))).toEqual([401, 401]);
    expect((await login(testPassword)).status).toBe(429);
    expect((await post('/auth/login', { email: 'other@example.com', password: 'x' })).status).toBe(401);
  });

  test('429: a user’s look-ups by email', async () => {
    const { get, signUp } = await limited({ RATE_LIMIT_LOOKUP: '2' });
    const { accessToken } = await signUp();
    const look = () => get('/users?email=a@example.com', accessToken);
    expect(await statuses(3, look)).toEqual([200, 200, 429]);
    expect((await get('/auth/me', accessToken)).status).toBe(200);
  });

  test('an address is the connection’s, whatever the client says of itself', async () => {
    const { call } = await limited({ RATE_LIMIT_ADDRESS: '1' });
    const from = (address: string) => () =>
      call('GET', '/auth/me', undefined, { token: 'x', headers: { 'X-Forwarded-For': address } });
    expect(await statuses(1, from('192.0.2.1'))).toEqual([401]);
    expect(await statuses(1, from('192.0.2.2'))).toEqual([429]);
  });

  test('behind a proxy of ours it is the last one that the proxy names', async () => {
    const { call } = await limited({ RATE_LIMIT_ADDRESS: '1', TRUST_PROXY: 'true' });
    const from = (address: string) => () =>
      call('GET', '/auth/me', undefined, { token: 'x', headers: { 'X-Forwarded-For': address } });
    expect(await statuses(2, from('203.0.113.9, 192.0.2.1'))).toEqual([401, 429]);
    expect(await statuses(1, from('203.0.113.8, 192.0.2.1'))).toEqual([429]);
    expect(await statuses(1, from('203.0.113.9, 192.0.2.2'))).toEqual([401]);
  });
});

describe('on a port', () => {
  const served: Bun.Server<unknown>[] = [];
  afterAll(() => Promise.all(served.map((server) => server.stop(true))));
  const serve = ({ api }: TestApi) => {
    const server = Bun.serve({ port: 0, fetch: (request, server) => api.fetch(request, { server }) });
    served.push(server);
    return server;
  };

  test('a chunked body is counted as it comes', async () => {
    const { port } = serve(await open());
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1');
      let received = '';
      socket.on('error', reject);
      socket.on('data', (data) => {
        received += data;
        if (received.includes('}')) socket.end(() => resolve(received));
      });
      socket.write(
        'POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      );
      for (let chunk = 0; chunk < 65; chunk += 1) socket.write(`400\r\n${' '.repeat(1024)}\r\n`);
      socket.write('0\r\n\r\n');
    });
    expect(answer).toStartWith('HTTP/1.1 413');
    expect(answer).toContain('body_too_large');
  });

  test('a body that says it is too long is not waited for', async () => {
    const { port } = serve(await open());
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', reject);
    socket.on('data', (data) => resolve(String(data)));
    socket.write(
      'POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 65537\r\n\r\n{',
    );
    expect(await promise).toStartWith('HTTP/1.1 413');
    socket.destroy();
  });

  test('the address that is limited is the connection’s', async () => {
    const environment = { RATE_LIMIT_ADDRESS: '1' };
    const taken: string[] = [];
    const rateLimits = {
      consume: async (takes: readonly { key: string }[]) => void taken.push(...takes.map(({ key }) => key)),
    };
    const { url } = serve(await open({ environment, rateLimits }));
    await (await fetch(new URL('/auth/me', url))).text();
    expect(['127.0.0.1', '0:0:0:0::/56']).toContain(String(taken[0]));
  });
});

describe('readiness', () => {
  const readiness = async (...dependencies: Dependency[]) => {
    const { get } = await open({ dependencies });
    const answer = await get('/readyz');
    return [answer.status, await answer.json()];
  };
  const up = { check: () => true };
  const down = { check: () => Promise.reject(new Error('no')) };

  test('200 ready: everything is up', async () => {
    expect(await readiness({ name: 'postgres', required: true, ...up })).toEqual([
      200,
      { status: 'ready', dependencies: { postgres: 'up' } },
    ]);
  });

  test('200 degraded: something is down that the process can do without', async () => {
    expect(
      await readiness(
        { name: 'postgres', required: true, ...up },
        { name: 'redis', required: false, ...down },
      ),
    ).toEqual([200, { status: 'degraded', dependencies: { postgres: 'up', redis: 'down' } }]);
  });

  test('503 unavailable: it can’t do its job', async () => {
    expect(
      await readiness(
        { name: 'postgres', required: true, ...down },
        { name: 'redis', required: false, ...up },
      ),
    ).toEqual([503, { status: 'unavailable', dependencies: { postgres: 'down', redis: 'up' } }]);
  });

  test('a dependency that never answers is down', async () => {
    const silent = { name: 'postgres', required: true, check: () => new Promise<boolean>(() => {}) };
    expect(await readiness(silent)).toEqual([
      503,
      { status: 'unavailable', dependencies: { postgres: 'down' } },
    ]);
  });
});
