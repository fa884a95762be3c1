import { afterAll, describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import pino from 'pino';
import { createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import type { Database } from '../../src/db/database.ts';
import { inTransaction } from '../../src/db/transaction.ts';
import { empty } from '../../src/process/http/answer.ts';
import { createHealthApp } from '../../src/process/http/health.ts';
import { type Asked, route } from '../../src/process/http/route.ts';
import type { Dependency } from '../../src/process/readiness.ts';
import { parseConfig } from '../../src/shared/config.ts';
import type { Problem } from '../../src/shared/contract.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { unlimited } from '../../src/shared/rate-limits.ts';
import { createTestApi, type TestApi, type TestApiOptions, testPassword } from '../support/api.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';

const base = await embeddedBase();
const open = (options: Partial<TestApiOptions> = {}) => createTestApi({ ...base, ...options });
/** A route that does this. */
const withRoute = (path: string, work: (asked: Asked) => Promise<unknown>) => {
  const handle = (asked: Asked) => work(asked).then(() => empty(204));
  return { chatRoutes: () => [route({ method: 'GET', path, handle })] };
};
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
    expect(own.headers.get('access-control-expose-headers')).toBe('Date,Retry-After,X-Request-Id');
    expect((await from('https://evil.example.com')).headers.has('access-control-allow-origin')).toBe(false);
    const preflight = await from('https://app.example.com', 'OPTIONS');
    expect(preflight.status).toBe(204);
    // Tracing libraries add headers of their own to a page's requests.
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

  const entries = lines.map((line) => JSON.parse(line)).filter(({ stream }) => stream !== 'audit');
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

test('probes are told at debug, every other request by the pattern of its route', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) });
  const { call, get } = await open({ log });
  for (const path of ['/healthz', '/readyz', '/openapi.json', '/users/x?y=1', '/nowhere']) await get(path);
  await call('DELETE', '/auth/login');
  expect(lines.map((line) => JSON.parse(line)).map(({ level, route }) => [level, route])).toEqual([
    ...[
      [20, '/healthz'],
      [20, '/readyz'],
      [30, '/openapi.json'],
      [30, '/users/:userId'],
    ],
    ...[
      [30, '/*'],
      [30, '/*'],
    ],
  ]);
});

describe('errors', () => {
  const failing = (error: Error) => withRoute('/fails', () => Promise.reject(error));

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
      ...withRoute('/fails', () => base.database.query(insert, [])),
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

  test('what is refused by the thousand is told once a second, with its count, and why', async () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7'), { code: 'ECONNREFUSED' });
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => lines.push(line) });
    const { get } = await open({ ...failing(refused), log });
    const statuses: number[] = [];
    for (let time = 0; time < 1_000; time += 1) statuses.push((await get('/fails')).status);
    expect(new Set(statuses)).toEqual(new Set([503]));
    const counted = () => lines.map((line) => JSON.parse(line).count).reduce((sum, count) => sum + count, 0);
    await eventually('all are told of', () => counted() === 1_000);
    expect(lines.length).toBeLessThanOrEqual(5);
    for (const line of lines) {
      expect(JSON.parse(line)).toMatchObject({
        msg: 'request failed',
        level: 40,
        code: 'database_unavailable',
        reason: 'connect ECONNREFUSED 10.0.0.7',
        requestId: expect.any(String),
      });
    }
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
      ...withRoute('/waits', ({ late }) => {
        late('broker_unavailable');
        return new Promise(() => {});
      }),
    });
    expect((await problemOf(await get('/waits'))).code).toBe('broker_unavailable');
  });

  describe('a transaction', async () => {
    await base.database.query('CREATE TABLE written (number int)', []);
    const written = async () => [...(await base.database.query('SELECT number FROM written', []))];
    /** Of a route that writes, and waits for `end` before it commits. */
    const writes = (end: Promise<void>, { transacts = true } = {}) => {
      let transaction: Promise<unknown> | undefined;
      const handle = async () => {
        transaction = inTransaction(base.database, async (tx) => {
          await tx.execute('INSERT INTO written VALUES (1)');
          await end;
        });
        await transaction;
        return empty(204);
      };
      const made = route({
        method: 'POST',
        path: '/writes',
        ...(transacts ? { transacts } : {}),
        handle,
      });
      return {
        chatRoutes: () => [made],
        ended: () =>
          transaction?.then(
            () => 'committed',
            () => 'rolled back',
          ),
      };
    };

    test('is rolled back when its request was answered 503 meanwhile', async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const { ended, ...routes } = writes(promise);
      const { post } = await open({ deadlineMs: 30, ...routes });
      expect((await post('/writes')).status).toBe(503);
      resolve();
      expect(await ended()).toBe('rolled back');
      expect(await written()).toEqual([]);
    });

    test('cannot be begun by a route that says that it begins none: nothing would roll it back', async () => {
      const { ended, ...routes } = writes(Promise.resolve(), { transacts: false });
      const { post } = await open(routes);
      expect((await post('/writes')).status).toBe(500);
      expect(await ended()).toBe('rolled back');
      expect(await written()).toEqual([]);
    });

    test('is committed where its request waits for it', async () => {
      const { post } = await open(writes(Promise.resolve()));
      expect((await post('/writes')).status).toBe(204);
      expect(await written()).toEqual([{ number: 1 }]);
    });
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
    return open({ environment, rateLimits: createEmbeddedRateLimits(rateLimits, createMetrics()) });
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

  test('429: refresh tokens of an address that are none', async () => {
    const { post } = await limited({ RATE_LIMIT_LOGIN: '2' });
    const login = () => post('/auth/refresh', { refreshToken: 'x' });
    expect(await statuses(3, login)).toEqual([401, 401, 429]);
  });

  test('429: a user’s look-ups by email', async () => {
    const { get, signUp } = await limited({ RATE_LIMIT_LOOKUP: '2' });
    const { accessToken } = await signUp();
    const look = () => get('/users?email=a@example.com', accessToken);
    expect(await statuses(3, look)).toEqual([200, 200, 429]);
    expect((await get('/auth/me', accessToken)).status).toBe(200);
  });

  test('429: bodies that cannot be read, of the routes that everybody may ask', async () => {
    const { post } = await limited({ RATE_LIMIT_LOGIN: '4' });
    const bodies = [
      '{',
      {},
      { email: 'no email', password: 'x' },
      { email: 'a@example.com', password: '' },
      '{',
    ];
    const answers: number[] = [];
    for (const body of bodies) answers.push((await post('/auth/login', body)).status);
    expect(answers).toEqual([400, 422, 422, 422, 429]);
  });

  test('who has a token is limited alone, whatever strangers do behind the same address', async () => {
    const { get } = await limited({ RATE_LIMIT_ADDRESS: '2' });
    const { accessToken } = await (await open()).signUp();
    expect(await statuses(3, () => get('/auth/me', 'garbage'))).toEqual([401, 401, 429]);
    expect(await statuses(5, () => get('/auth/me', accessToken))).toEqual([200, 200, 200, 200, 200]);
  });

  test('the operator’s backend is limited by nothing, whoever tries to be it by its address', async () => {
    const token = 'the service token of these tests that is long enough';
    const { call } = await limited({ RATE_LIMIT_ADDRESS: '2', SERVICE_TOKEN: token });
    const put = (given?: string) => call('PUT', '/users/external/limits', {}, { token: given });
    expect([await put(), await put('another'), await put()].map(({ status }) => status)).toEqual([
      401, 401, 429,
    ]);
    expect(await statuses(3, () => put(token))).toEqual([201, 200, 200]);
  });

  test('an address is the connection’s, whatever the client says of itself', async () => {
    const { call } = await limited({ RATE_LIMIT_ADDRESS: '1' });
    const from = (address: string) => () =>
      call('GET', '/auth/me', undefined, { token: 'x', headers: { 'X-Forwarded-For': address } });
    expect(await statuses(1, from('192.0.2.1'))).toEqual([401]);
    expect(await statuses(1, from('192.0.2.2'))).toEqual([429]);
  });

  test('a proxy that is not believed is told of, once', async () => {
    const warningsWith = async (environment: Record<string, string>) => {
      const lines: string[] = [];
      const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
      const { call } = await open({ environment, log });
      for (const headers of [{}, { 'X-Forwarded-For': '192.0.2.1' }, { 'X-Forwarded-For': '192.0.2.2' }]) {
        await call('GET', '/auth/me', undefined, { headers });
      }
      return lines.filter((line) => line.includes('X-Forwarded-For'));
    };
    expect(await warningsWith({})).toEqual([expect.stringContaining('TRUST_PROXY=true')]);
    expect(await warningsWith({ TRUST_PROXY: 'true' })).toEqual([]);
  });

  test('where no address is counted, nothing is said of a proxy', async () => {
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
    const health = createHealthApp({ dependencies: [], leaving: () => false }, log);
    const headers = { 'X-Forwarded-For': '192.0.2.1' };
    const { status } = await health.fetch(new Request('http://localhost/readyz', { headers }));
    expect([status, lines]).toEqual([200, []]);
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
    const server = Bun.serve({ port: 0, fetch: api.fetch });
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
      ...unlimited,
      consume: async (takes: readonly { key: string }[]) => void taken.push(...takes.map(({ key }) => key)),
    };
    const { url } = serve(await open({ environment, rateLimits }));
    await (await fetch(new URL('/auth/me', url))).text();
    expect(['127.0.0.1', '0:0:0:0::/56']).toContain(String(taken[0]));
  });
});

describe('readiness', () => {
  const readiness = async (...dependencies: Dependency[]) => {
    const { get } = await open({ readiness: { dependencies, leaving: () => false } });
    const answer = await get('/readyz');
    return [answer.status, await answer.json()];
  };
  const up = { check: () => true };
  const down = { check: () => Promise.reject(new Error('no')) };

  test('200 ready: everything is up', async () => {
    expect(await readiness({ name: 'postgres', own: false, ...up })).toEqual([
      200,
      { status: 'ready', dependencies: { postgres: 'up' } },
    ]);
  });

  test('200 degraded: something is down that every process of the kind stands on', async () => {
    expect(
      await readiness({ name: 'postgres', own: false, ...down }, { name: 'redis', own: false, ...up }),
    ).toEqual([200, { status: 'degraded', dependencies: { postgres: 'down', redis: 'up' } }]);
  });

  test('a look serves all who ask within a second, whatever it found; after that there is another', async () => {
    let looks = 0;
    const check = async () => {
      looks += 1;
      return looks > 1;
    };
    const { get } = await open({
      readiness: { dependencies: [{ name: 'gateway', own: true, check }], leaving: () => false },
    });
    const ask = async () => (await get('/readyz')).status;
    const began = performance.now();
    const answers = await Promise.all(Array.from({ length: 100 }, ask));
    for (let at = 0; at < 10; at += 1) answers.push(await ask());
    expect({ answers: new Set(answers), looks }).toEqual({ answers: new Set([503]), looks: 1 });
    await eventually('it is looked at again', async () => (await ask()) === 200, 3_000);
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(looks).toBe(2);
  });

  test('200 degraded: everything is up, and something is wrong with it all the same; figures are no problem', async () => {
    const figures = () => ({ waiting: 12 });
    expect(await readiness({ name: 'queue', own: true, ...up, problems: () => [], figures })).toEqual([
      200,
      { status: 'ready', dependencies: { queue: 'up' }, figures: { queue: { waiting: 12 } } },
    ]);
    const problems = () => ['partition 3: no confirms'];
    expect(await readiness({ name: 'queue', own: true, ...up, problems })).toEqual([
      200,
      { status: 'degraded', dependencies: { queue: 'up' }, problems: ['partition 3: no confirms'] },
    ]);
  });

  test('503 unavailable: it can’t do its job where another could', async () => {
    expect(
      await readiness({ name: 'postgres', own: false, ...up }, { name: 'gateway', own: true, ...down }),
    ).toEqual([503, { status: 'unavailable', dependencies: { postgres: 'up', gateway: 'down' } }]);
  });

  test('503 unavailable: it has been told to end', async () => {
    const { get } = await open({
      readiness: { dependencies: [{ name: 'postgres', own: false, ...up }], leaving: () => true },
    });
    const answer = await get('/readyz');
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { status: 'unavailable', dependencies: { postgres: 'up' } },
    ]);
  });

  test('a dependency that never answers is down', async () => {
    const silent = { name: 'postgres', own: false, check: () => new Promise<boolean>(() => {}) };
    expect(await readiness(silent)).toEqual([
      200,
      { status: 'degraded', dependencies: { postgres: 'down' } },
    ]);
  });
});
