import { afterAll, describe, expect, test } from 'bun:test';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { createEmbeddedQueue } from '../../src/adapters/embedded/queue.ts';
import { createChatRoutes } from '../../src/api/chat-routes.ts';
import type { EventsDocument } from '../../src/api/events-document.ts';
import { createSendMessage } from '../../src/chat/send-message.ts';
import { errorTable } from '../../src/shared/errors.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { startWorker } from '../../src/worker/worker.ts';
import { createTestApi } from '../support/api.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { createDocumented } from '../support/documented.ts';
import { eventually } from '../support/eventually.ts';
import { connectClient, createWorld, openClient, startTestGateway } from '../support/gateway-world.ts';
import { testEnvelopes, testMembership } from '../support/queue-parts.ts';

const serviceToken = 'the service token of these tests';
const partitionCount = 2;
const log = createLog({ logLevel: 'silent' }, 'test');

const base = await embeddedBase();
const queue = createEmbeddedQueue({ database: base.database, log });
const worker = await startWorker({
  metrics: createMetrics(),
  database: base.database,
  partitionSource: await queue.partitionSource(),
  deadLetterSink: await queue.deadLetterSink(),
  notifier: base.notifier,
  membership: testMembership(),
  envelopes: testEnvelopes,
  config: { enabled: true, batchSize: 128, bufferedBatches: 1, maxRetries: 5, partitionCount },
  log,
});
afterAll(async () => {
  await worker.stop();
  await queue.close();
});

const dependencies = [{ name: 'postgres', own: true, up: true, check: () => dependencies[0]?.up ?? false }];
const sendMessage = createSendMessage({
  ...base,
  sendQueue: await queue.sendQueue(),
  envelopes: testEnvelopes,
  envelopeVersion: () => 1,
  partitionCount,
});
const { api, call, signUp } = await createTestApi({
  ...base,
  environment: { SERVICE_TOKEN: serviceToken },
  readiness: { dependencies, leaving: () => false },
  chatRoutes: createChatRoutes({
    ...base,
    sendMessage,
    liveMax: 100,
    maxParticipants: 10_000,
    log,
  }),
});
const documented = await createDocumented(api);
const { document } = documented;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

describe('the document', () => {
  test('is OpenAPI 3.1', () => {
    expect(document.openapi).toBe('3.1.0');
  });

  test('has every method of its paths in the running app, and no other', async () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      const answer = await api.request(path.replaceAll(/\{\w+\}/g, 'x'), { method: 'OPTIONS' });
      const described = Object.keys(methods).map((method) => method.toUpperCase());
      const head = described.includes('GET') ? ['HEAD'] : [];
      expect(answer.headers.get('allow')?.split(', ').toSorted(), path).toEqual(
        [...described, ...head, 'OPTIONS'].toSorted(),
      );
    }
  });

  test('names each operation once', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids).toEqual([...new Set(ids)]);
  });

  test('says of each route which credential it wants, of a kind that is described', () => {
    for (const { operation } of operations) {
      expect(operation.security).toBeArray();
      for (const scheme of operation.security.flatMap(Object.keys)) {
        expect(Object.keys(document.components.securitySchemes)).toContain(scheme);
      }
    }
  });

  test('names parameters that are in the path, all of them', () => {
    for (const { path, operation } of operations) {
      const named = (operation as { parameters?: { in: string; name: string }[] }).parameters ?? [];
      const inPath = named.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      expect(inPath.toSorted()).toEqual(
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name)).toSorted(),
      );
    }
  });

  test('answers every error as a problem, with codes of the table under their own status', () => {
    let codes = 0;
    for (const { operation } of operations) {
      for (const [status, { content = {} }] of Object.entries(operation.responses)) {
        if (Number(status) < 400 || operation.operationId === 'getReadiness') continue;
        expect(Object.keys(content)).toEqual(['application/problem+json']);
        const { schema } = content['application/problem+json'] as {
          schema: { allOf: [object, { properties: { code: { enum: (keyof typeof errorTable)[] } } }] };
        };
        for (const code of schema.allOf[1].properties.code.enum) {
          expect(errorTable[code]?.status, code).toBe(Number(status));
          codes += 1;
        }
      }
    }
    expect(codes).toBeGreaterThan(100);
  });

  test('has an example for every field that a client sends', () => {
    for (const { operation } of operations) {
      const schema = operation.requestBody?.content['application/json']?.schema as
        | { properties: Record<string, object> }
        | undefined;
      for (const [name, property] of Object.entries(schema?.properties ?? {})) {
        expect(hasExample(property), `${operation.operationId} ${name}`).toBe(true);
      }
    }
  });
});

test('the running app answers as documented, with every success that is documented', async () => {
  const [ada, bob, eve] = [await signUp(), await signUp(), await signUp()];
  const ask = async (method: string, path: string, body?: unknown, token = ada.accessToken) => {
    const answer = await documented.request(path, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...(body ? { 'Content-Type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return answer.headers.get('content-type')?.includes('json')
      ? ((await answer.json()) as { id: string })
      : undefined;
  };
  const idOf = async (answer: Promise<{ id: string } | undefined>) => (await answer)?.id ?? '';

  const login = { email: 'documented@example.com', password: 'correct horse battery staple' };
  await ask('POST', '/auth/register', { ...login, displayName: 'Documented' });
  await ask('POST', '/auth/login', login);
  await ask('POST', '/auth/refresh', { refreshToken: ada.refreshToken });
  await ask('GET', '/auth/me');
  await ask('GET', `/users/${bob.user.id}`);
  await ask('GET', `/users?email=${bob.email}`);
  await ask('GET', `/users?userIds=${bob.user.id},${ada.user.id}`);
  await ask('PUT', '/users/external/documented', { displayName: 'Outside' }, serviceToken);
  await ask('PUT', '/users/external/documented', { email: 'outside@example.com' }, serviceToken);
  await ask(
    'PUT',
    '/users/external',
    { users: [{ externalId: 'documented', metadata: { plan: 'free' } }] },
    serviceToken,
  );
  await ask('POST', '/auth/tokens', { externalId: 'documented' }, serviceToken);
  for (const verb of ['deactivate', 'reactivate'])
    await ask('POST', `/users/${eve.user.id}/${verb}`, undefined, serviceToken);

  const direct = { participantUserIds: [bob.user.id] };
  await ask('POST', '/chats', direct);
  await ask('POST', '/chats', direct);
  const group = await idOf(ask('POST', '/chats', { ...direct, name: 'Documented' }));
  await ask('POST', `/chats/${group}/participants`, { userIds: [eve.user.id] });
  const message = { content: 'Hello', clientMessageId: crypto.randomUUID() };
  await ask('POST', `/chats/${group}/messages`, message);
  await eventually('the message is stored', async () => {
    const page = (await (
      await call('GET', `/chats/${group}/messages`, undefined, { token: ada.accessToken })
    ).json()) as {
      data: unknown[];
    };
    return page.data.length === 1;
  });
  const page = (await ask('GET', `/chats/${group}/messages`)) as unknown as { data: [{ id: string }] };
  await ask('GET', `/chats/${group}/messages/${page.data[0].id}`);
  await ask('PATCH', `/chats/${group}/messages/${page.data[0].id}`, { content: 'Hello again' });
  const reactions = `/chats/${group}/messages/${page.data[0].id}/reactions`;
  await ask('PUT', `${reactions}/❤`);
  await ask('GET', reactions);
  await ask('DELETE', `${reactions}/❤`);
  await ask('DELETE', `/chats/${group}/messages/${page.data[0].id}`);
  await ask('GET', `/chats/${group}/changes?after=0`);
  await ask('PUT', `/chats/${group}/read`, { sequence: 1 });
  await ask('PUT', `/chats/${group}/unread`, { sequence: 1 });
  await ask('PATCH', `/chats/${group}/membership`, { mutedUntil: '2999-01-01T00:00:00Z', pinned: true });
  await ask('GET', '/chats/unread');
  await ask('PUT', `/chats/${group}/typing`, { typing: true });
  await ask('GET', `/presence?userIds=${bob.user.id},${eve.user.id}`);
  await ask('GET', '/chats?filter=pinned');
  await ask('PATCH', '/users/me', {
    readReceipts: false,
    showPresence: false,
    avatarUrl: 'https://example.com/a.png',
    metadata: { a: 1 },
  });
  await ask('PATCH', `/chats/${group}`, {
    avatarUrl: 'https://example.com/b.png',
    metadata: {},
    posting: 'admins',
  });
  await ask('PATCH', `/chats/${group}/participants/${eve.user.id}`, { role: 'admin' });
  await ask('GET', '/chats?limit=1');
  await ask('GET', `/chats/${group}`);
  await ask('GET', `/chats/${group}/participants`);
  await ask('DELETE', `/chats/${group}/participants/${eve.user.id}`);
  await ask('DELETE', `/chats/${group}`);
  await ask('POST', '/auth/logout');

  const pages = ['/documentation', '/documentation/events', '/openapi.json', '/asyncapi.json'];
  for (const path of ['/healthz', '/readyz', ...pages]) await ask('GET', path);
  dependencies[0]!.up = false;
  // What was found a moment ago is believed for a second.
  await eventually('it is not ready', async () => {
    await ask('GET', '/readyz');
    return documented.seen.has('getReadiness 503');
  });

  const successes = operations.flatMap(({ operation }) =>
    Object.keys(operation.responses)
      .filter((status) => Number(status) < 400)
      .map((status) => `${operation.operationId} ${status}`),
  );
  expect(successes.filter((success) => !documented.seen.has(success))).toEqual([]);
}, 20_000);

test('all that a socket is told is as the document of the events has it', async () => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  const events = (await (await api.request('/asyncapi.json')).json()) as EventsDocument;
  ajv.addSchema(events, 'events');
  const world = await createWorld(base);
  const presenceTimes = { offlineAfterMs: 50, gatherMs: 10, lookEveryMs: 10 };
  const gateway = await startTestGateway({ ...base, presenceTimes });
  const [ada, bob, eve] = await world.newUsers(3);
  const clients = await Promise.all([ada!, bob!, eve!].map((user) => connectClient(gateway.url, user)));
  const told: [string, unknown][] = [];
  for (const { socket } of clients) socket.onAny((event, payload) => told.push([event, payload]));

  // One after the other: of what has changed again nobody is told what it was.
  const isTold = (...names: string[]) =>
    eventually(names.join(), () => names.every((name) => told.some(([event]) => event === name)));
  const chat = await world.newGroup(ada!, bob!);
  await isTold('chat.created');
  const { message } = await world.send(ada!, chat.id, 'Hello');
  await isTold('chat.message.new', 'chat.message.saved');
  await world.edit(ada!, message, 'Hello again');
  await isTold('chat.message.updated');
  await world.react(bob!, message, '👍');
  await isTold('chat.message.reactions');
  await world.update(ada!, chat.id, { name: 'Another name', metadata: { of: 'the host' } });
  await isTold('chat.updated');
  await world.own.markRead({ userId: bob!.id, chatId: chat.id, sequence: 1 });
  await world.delete(ada!, message);
  await isTold('chat.message.deleted', 'chat.membership', 'chat.read');
  await world.add(ada!, chat.id, eve!);
  await isTold('chat.participant.added');
  await world.type(ada!, chat.id, true);
  await isTold('chat.typing');
  await world.remove(ada!, chat.id, eve!);
  await world.updateMe({ userId: bob!.id, readReceipts: false });
  const auth = { token: ada!.token, cursors: { [chat.id]: 99 } };
  await isTold('chat.participant.removed', 'user.updated');
  // As if it had been accepted a moment before.
  await sendMessage({
    ...{ chatId: chat.id, senderId: eve!.id, content: 'Too late', participant: true, requestId: 'late' },
  });
  await isTold('chat.message.failed');
  await world.newDirect(ada!, eve!);
  clients[2]!.close();
  await isTold('chat.presence');
  const { socket } = openClient(gateway.url, undefined, { auth });
  socket.onAny((event, payload) => told.push([event, payload]));
  await isTold('chat.sync.reset', 'chat.ready');
  const payloads = Map.groupBy(told, ([event]) => event);
  const described = Object.keys(events.channels.chat.messages);
  const given = ['connect', 'connect_error'];
  expect([...payloads.keys(), ...given].toSorted()).toEqual(described.toSorted());
  for (const [event, ofEvent] of payloads) {
    const valid = ajv.compile({ $ref: `events#/channels/chat/messages/${event}/payload` });
    for (const [, payload] of ofEvent)
      expect(valid(payload), `${event} ${ajv.errorsText(valid.errors)}`).toBe(true);
  }
  for (const one of [...clients.map((client) => client.socket), socket]) one.disconnect();
  await gateway.stop();
}, 20_000);

describe('the page', () => {
  test('loads scripts, styles and the document from here alone', async () => {
    const answer = await api.request('/documentation');
    const page = await answer.text();
    const links = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => String(link));
    expect(links).not.toBeEmpty();
    for (const link of links) {
      const asset = await api.request(new URL(link, 'http://localhost/documentation').pathname);
      expect(asset.status, link).toBe(200);
      expect((await asset.arrayBuffer()).byteLength, link).toBeGreaterThan(0);
    }
    expect(page).not.toContain('://');
  });

  test('of the events leads to what is there, and says each by its name', async () => {
    const address = 'http://localhost/documentation/events';
    const page = await (await api.request('/documentation/events')).text();
    const links = [...page.matchAll(/href="([^"]+)"/g)].map(([, link]) => String(link));
    for (const link of links) {
      const { pathname, hash } = new URL(link, address);
      if (hash === '') expect((await api.request(pathname)).status, link).toBe(200);
      else expect(page, link).toContain(`<section id="${hash.slice(1)}">`);
    }
    for (const name of ['chat.message.new', 'chat.ready', 'connect_error'])
      expect(links).toContain(`#${name}`);
    expect(page).not.toMatch(/<script|:\/\//);
  });

  test('is let run by its own policy: scripts and requests of this origin, no inline script', async () => {
    const answer = await api.request('/documentation');
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toContain('unsafe-eval');
    expect(await answer.text()).not.toMatch(/<script>|<script [^>]*>[^<]/);
  });

  test('asks for the document beside it', async () => {
    const start = await (await api.request('/documentation/start.js')).text();
    expect(start).toContain("url: 'openapi.json'");
    expect(start).toContain('validatorUrl: null');
  });
});

function hasExample(property: object): boolean {
  if ('examples' in property || 'const' in property || 'enum' in property) return true;
  if ('type' in property && (property.type === 'boolean' || property.type === 'integer')) return true;
  if ('items' in property) return hasExample(property.items as object);
  if ('anyOf' in property) return (property.anyOf as object[]).some(hasExample);
  return false;
}
