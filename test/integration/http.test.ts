import { afterAll, describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import { createChatRoutes } from '../../src/api/chat-routes.ts';
import { createSendMessage } from '../../src/chat/send-message.ts';
import { listen } from '../../src/process/http-server.ts';
import { parseConfig } from '../../src/shared/config.ts';
import type { Problem } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { createTestApi, type TestApiOptions } from '../support/api.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { createDocumented } from '../support/documented.ts';
import { testEnvelopes } from '../support/queue-parts.ts';

const base = await embeddedBase();
const log = createLog({ logLevel: 'silent' }, 'test');
const sendMessage = createSendMessage({
  ...base,
  sendQueue: { publish: async () => {}, ready: () => true, problems: () => [] },
  envelopes: testEnvelopes,
  envelopeVersion: () => 1,
  partitionCount: 2,
});
const chatRoutes = createChatRoutes({
  ...base,
  sendMessage,
  liveMax: 100,
  maxParticipants: 10_000,
  log,
});
const open = (options: Partial<TestApiOptions> = {}) => createTestApi({ ...base, chatRoutes, ...options });

const allOfIt = await open({
  environment: {
    SERVICE_TOKEN: 'a service token that is long enough for it',
    TRUST_PROXY: 'true',
    CORS_ORIGINS: 'https://app.example.com',
  },
});
const { api, call, get, post } = allOfIt;
const ada = await allOfIt.signUp();
const { id: chatId } = (await (
  await post('/chats', { participantUserIds: [], isGroup: true }, ada.accessToken)
).json()) as { id: string };
const { document } = await createDocumented(api);
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    operation,
    method: method.toUpperCase(),
    path: path
      .replace('{chatId}', chatId)
      .replace('{userId}', ada.user.id)
      .replace(/\{\w+\}/g, newId()),
  })),
);
const messages = `/chats/${chatId}/messages`;
const authorization = `Bearer ${ada.accessToken}`;

const http = listen({ port: 0, host: 'localhost', fetch: api.fetch }, 'PORT');
afterAll(http.stop);

/** What is answered to these bytes, after which the connection is closed. */
function raw(...lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(http.port, '127.0.0.1');
    let received = '';
    socket.on('error', reject);
    socket.on('data', (data) => (received += data));
    socket.on('close', () => resolve(received));
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  });
}
const statusOf = (answer: string): number => Number(answer.split(' ')[1]);
const ask = (...head: string[]) => raw(...head, 'Connection: close');

describe('methods', () => {
  test('405 names those that a path has, 404 is for paths that are not there', async () => {
    const answer = await call('DELETE', messages, undefined, { token: ada.accessToken });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST, GET, HEAD, OPTIONS']);
    expect(((await answer.json()) as Problem).code).toBe('method_not_allowed');
    expect((await call('DELETE', '/nowhere')).status).toBe(404);
    expect((await call('GET', '/nowhere')).headers.has('allow')).toBe(false);
    for (const method of ['TRACE', 'CONNECT', 'PROPFIND', 'QUERY'])
      expect(statusOf(await raw(`${method} /chats HTTP/1.1`, 'Host: x', 'Connection: close')), method).toBe(
        405,
      );
  });

  test('OPTIONS is answered with them, and so is a preflight by its own rules', async () => {
    const plain = await call('OPTIONS', '/chats');
    expect([plain.status, plain.headers.get('allow')]).toEqual([204, 'POST, GET, HEAD, OPTIONS']);
    expect((await call('OPTIONS', '/nowhere')).status).toBe(404);
    const headers = { Origin: 'https://app.example.com', 'Access-Control-Request-Method': 'POST' };
    const preflight = await call('OPTIONS', '/nowhere', undefined, { headers });
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    const fromPage = await call('OPTIONS', '/chats', undefined, { headers: { Origin: headers.Origin } });
    expect(fromPage.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
  });

  test('HEAD is answered as each GET is, without its body', async () => {
    const gets = operations.filter(({ method }) => method === 'GET');
    expect(gets.length).toBeGreaterThan(10);
    for (const { path } of gets) {
      const of = async (method: string) => {
        const answer = await fetch(`http://localhost:${http.port}${path}?`, {
          method,
          headers: { authorization, 'X-Request-Id': 'the-same' },
        });
        const { date: _, ...headers } = Object.fromEntries(answer.headers);
        return { status: answer.status, headers, body: await answer.text() };
      };
      const [full, head] = [await of('GET'), await of('HEAD')];
      expect(head, path).toEqual({ ...full, body: '' });
      expect(Number(head.headers['content-length']), path).toBe(Buffer.byteLength(full.body));
    }
  });
});

describe('a request', () => {
  test('that names no host is answered where HTTP allows that, one that names none is 400', async () => {
    const head = (version: string) => [`GET ${messages} HTTP/${version}`, `Authorization: ${authorization}`];
    expect(statusOf(await ask(...head('1.0')))).toBe(200);
    expect(statusOf(await ask(...head('1.1')))).toBe(400);
    for (const host of ['[', '[::1', 'a b', 'a/b', 'a?b', '[x]:3000']) {
      const answer = await ask(...head('1.1'), `Host: ${host}`);
      expect(statusOf(answer), host).toBe(400);
      expect(answer, host).toContain('"code":"malformed_request"');
    }
    for (const host of ['[::1]', '[::1]:3000', 'x:3000', '10.0.0.1', 'xn--bcher-kva.example', '']) {
      expect(statusOf(await ask(...head('1.1'), `Host: ${host}`)), host).toBe(200);
    }
  });

  test.each([
    ['an absolute address', `http://elsewhere.example${messages}`, 200],
    ['escapes of what needs none', messages.replace('chats', 'ch%61ts'), 200],
    ['a way around', `/auth/..${messages}`, 200],
    ['a fragment', `${messages}#newest`, 200],
    ['an empty query', `${messages}?`, 200],
    ['a slash at the end', `${messages}/`, 404],
    ['two slashes', `/${messages}`, 404],
    ['a broken escape', '/%zz', 404],
    ['nothing but slashes', '//', 404],
  ])('with %s', async (_, target, status) => {
    const head = [`GET ${target} HTTP/1.1`, 'Host: x', `Authorization: ${authorization}`];
    expect(statusOf(await ask(...head))).toBe(status);
  });

  test('that waits to be told to go on is', async () => {
    const body = JSON.stringify({ content: 'Hello' });
    const socket = connect(http.port, '127.0.0.1');
    const said = Promise.withResolvers<string>();
    socket.on('data', (data) => {
      if (String(data).startsWith('HTTP/1.1 100')) socket.write(body);
      if (String(data).includes('202')) said.resolve(String(data));
    });
    const head = [
      ...[`POST ${messages} HTTP/1.1`, 'Host: x', `Authorization: ${authorization}`],
      ...['Content-Type: application/json', `Content-Length: ${body.length}`, 'Expect: 100-continue'],
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    expect(await said.promise).toContain('HTTP/1.1 202');
    socket.destroy();
  });

  test('whose body is compressed is refused for that', async () => {
    for (const type of ['application/json', 'application/json ; charset=utf-8']) {
      const answer = await call('POST', messages, Bun.gzipSync('{"content":"x"}').toString(), {
        token: ada.accessToken,
        headers: { 'Content-Encoding': 'gzip', 'Content-Type': type, 'Content-Length': '30' },
      });
      expect([answer.status, answer.headers.get('accept-encoding')]).toEqual([415, 'identity']);
      expect(await answer.json()).toMatchObject({
        code: 'unsupported_media_type',
        detail: 'Send the body without a Content-Encoding.',
      });
    }
    const plain = await call(
      'POST',
      messages,
      { content: 'x' },
      {
        token: ada.accessToken,
        headers: { 'Content-Encoding': 'identity' },
      },
    );
    expect(plain.status).toBe(202);
  });

  test('with a parameter that its route does not know is refused, whatever the route', async () => {
    const asked = operations.filter(({ operation }) => !('serviceToken' in (operation.security[0] ?? {})));
    let refused = 0;
    for (const { method, path, operation } of asked) {
      const ours = /^\/(?:healthz|readyz|documentation(?:\/events)?|(?:open|async)api\.json)$/.test(path);
      for (const query of ['?unknown=1', '?limit=1&unknown=1&unknown=2', '?unknown']) {
        const answer = await call(method, `${path}${query}`, method === 'GET' ? undefined : {}, {
          token: ada.accessToken,
        });
        if (ours) {
          // Asked by machines, which have ways of their own.
          expect(answer.status, operation.operationId).toBe(200);
          continue;
        }
        expect(answer.status, operation.operationId).toBe(422);
        const { errors = [] } = (await answer.json()) as Problem;
        expect(errors).toContainEqual({ path: 'unknown', message: 'is not a known parameter' });
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(40);
  });

  test('with a parameter twice is told so', async () => {
    for (const query of ['?limit=1&limit=2', '?limit=1&limit=1', '?before=1&limit=3&before=2']) {
      const { errors = [] } = (await (await get(`${messages}${query}`, ada.accessToken)).json()) as Problem;
      expect(errors.map(({ message }) => message)).toEqual(['is given more than once']);
    }
  });

  test('that Bun itself refuses gets no word of ours, and the connection ends', async () => {
    for (const lines of [
      ['GARBAGE'],
      ['GET /chats HTTP/1.1', 'Host: x', `X: ${'a'.repeat(40_000)}`],
      ['POST /auth/login HTTP/1.1', 'Host: x', 'Content-Length: 1', 'Transfer-Encoding: chunked'],
      ['GET /chats HTTP/1.2', 'Host: x'],
    ])
      expect(await raw(...lines)).toMatch(/^HTTP\/1\.1 [45]\d\d [\w ]+\r\nConnection: close\r\n\r\n$/);
  });
});

describe('an answer', () => {
  test('is kept by nobody, but for what is the same for all', async () => {
    for (const { method, path, operation } of operations) {
      const answer = await call(method, path, method === 'GET' ? undefined : {}, { token: ada.accessToken });
      const open = /^get(?:Documentation|EventsDocumentation|Openapi|Asyncapi)$/.test(operation.operationId);
      expect(answer.headers.get('cache-control'), operation.operationId).toBe(
        open ? 'public, no-cache' : 'no-store',
      );
    }
    expect((await call('GET', '/nowhere')).headers.get('cache-control')).toBe('no-store');
  });

  test('says that TLS is here to stay where a proxy of ours has ended it', async () => {
    const from = async (forwarded: Record<string, string>, path: string, ask = call) =>
      (await ask('GET', path, undefined, { token: ada.accessToken, headers: forwarded })).headers.get(
        'strict-transport-security',
      );
    const direct = await open();
    for (const path of [messages, '/auth/me', '/nowhere']) {
      expect(await from({ 'X-Forwarded-Proto': 'https' }, path)).toBe('max-age=31536000');
      expect(await from({ 'X-Forwarded-Proto': 'http, HTTPS' }, path)).toBe('max-age=31536000');
      expect(await from({ 'X-Forwarded-Proto': 'https, http' }, path)).toBeNull();
      expect(await from({}, path)).toBeNull();
      // Nobody's proxy: the client's own words.
      expect(await from({ 'X-Forwarded-Proto': 'https' }, path, direct.call)).toBeNull();
    }
  });
});

describe('the description of the api', () => {
  test('is made once, and not sent to who has it', async () => {
    for (const path of ['/openapi.json', '/documentation', '/documentation/swagger-ui.css']) {
      const first = await get(path);
      const etag = first.headers.get('etag') ?? '';
      expect(etag).toMatch(/^"\w+"$/);
      expect((await get(path)).headers.get('etag')).toBe(etag);
      for (const known of [etag, `"other", W/${etag}`, '*']) {
        const again = await call('GET', path, undefined, { headers: { 'If-None-Match': known } });
        expect([again.status, await again.text()]).toEqual([304, '']);
        expect(again.headers.get('etag')).toBe(etag);
      }
      const other = await call('GET', path, undefined, { headers: { 'If-None-Match': '"other"' } });
      expect(other.status).toBe(200);
    }
  });

  test('429: it is limited by address, as everything that anybody may ask', async () => {
    const { rateLimits } = parseConfig({ RATE_LIMIT_ADDRESS: '3' });
    const limited = await open({ rateLimits: createEmbeddedRateLimits(rateLimits, createMetrics()) });
    const statuses: number[] = [];
    for (const path of ['/openapi.json', '/documentation', '/documentation/swagger-ui.css', '/openapi.json'])
      statuses.push((await limited.get(path)).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    // A balancer's checks come from one address: to limit them would take every process out.
    expect((await limited.get('/readyz')).status).toBe(200);
  });
});
