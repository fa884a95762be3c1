import { expect, test } from 'bun:test';
import { decode } from 'hono/jwt';
import { createChatRoutes } from '../../src/api/chat-routes.ts';
import { runDlq } from '../../src/commands/dlq/run.ts';
import { createAudit } from '../../src/shared/audit.ts';
import type { Chat, TokenPair } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { createLog } from '../../src/shared/log.ts';
import { createTestApi, testPassword } from '../support/api.ts';
import { embeddedBase } from '../support/api-bases.ts';

const serviceToken = 'the token of a backend whose every step is told';
const written: string[] = [];
// A level that lets no other line through: these are told all the same.
const log = createLog({ logLevel: 'error' }, 'api', { write: (line: string) => written.push(line) });
const base = await embeddedBase();
const api = await createTestApi({
  ...base,
  environment: { SERVICE_TOKEN: serviceToken, TRUST_PROXY: 'true' },
  chatRoutes: createChatRoutes({
    ...{ ...base, log, liveMax: 100, maxParticipants: 10_000 },
    sendMessage: async () => ({ brokerMessageId: newId() }) as never,
  }),
  log,
});
const address = '203.0.113.7';
const secrets = new Set([testPassword, 'wrong horse', serviceToken]);

/** Asks, and takes what was written meanwhile. */
async function told(
  method: string,
  path: string,
  { body, token, actAs, status = 200 }: { body?: object; token?: string; actAs?: string; status?: number },
) {
  written.length = 0;
  const requestId = `request-${newId()}`;
  const answer = await api.call(method, path, body, {
    token,
    headers: {
      ...{ 'x-request-id': requestId, 'x-forwarded-for': `1.2.3.4, ${address}` },
      ...(actAs === undefined ? {} : { 'x-act-as': actAs }),
    },
  });
  expect(answer.status).toBe(status);
  const given = await answer.text();
  for (const secret of secrets) expect(written.join('')).not.toContain(secret);
  expect(written.join('')).not.toContain('@example.com');
  const lines = written.map((line) => JSON.parse(line));
  for (const line of lines) expect(line).toMatchObject({ stream: 'audit', requestId, address });
  const always = ['level', 'time', 'process', 'stream', 'requestId', 'address'];
  return {
    body: given === '' ? undefined : JSON.parse(given),
    lines: lines.map((line) =>
      Object.fromEntries(Object.entries(line).filter(([name]) => !always.includes(name))),
    ),
  };
}

/** Somebody new, with a session. */
async function newPerson(): Promise<TokenPair & { email: string; sessionId: string; id: string }> {
  const pair = await api.signUp();
  for (const token of [pair.accessToken, pair.refreshToken]) secrets.add(token);
  return { ...pair, id: pair.user.id, sessionId: String(decode(pair.accessToken).payload.sid) };
}
const [ada, bob, eve] = [await newPerson(), await newPerson(), await newPerson()];
const as = (person: { accessToken: string }, body?: object) => ({
  token: person.accessToken,
  ...(body ? { body } : {}),
});
const asService = { token: serviceToken, actAs: 'service' };

test('log-ins, good and bad', async () => {
  const good = await told('POST', '/auth/login', { body: { email: ada.email, password: testPassword } });
  const sessionId = decode(good.body.accessToken).payload.sid;
  expect(good.lines).toEqual([{ event: 'login.succeeded', userId: ada.id, sessionId }]);

  const bad = (email: string) =>
    told('POST', '/auth/login', { body: { email, password: 'wrong horse' }, status: 401 });
  const reason = 'bad_credentials';
  expect((await bad(ada.email)).lines).toEqual([{ event: 'login.failed', reason, userId: ada.id }]);
  expect((await bad('nobody@example.com')).lines).toEqual([{ event: 'login.failed', reason }]);
});

test('a refresh token that is used again, and a sign-out', async () => {
  const { id: userId, sessionId, refreshToken } = await newPerson();
  const refreshed = await told('POST', '/auth/refresh', { body: { refreshToken } });
  expect(refreshed.lines).toEqual([]);
  await base.database.query(
    `UPDATE refresh_tokens SET created_at = created_at - interval '1 minute' WHERE session_id = $1::uuid`,
    [sessionId],
  );
  secrets.add(refreshed.body.refreshToken);
  const reused = await told('POST', '/auth/refresh', { body: { refreshToken }, status: 401 });
  expect(reused.lines).toEqual([{ event: 'refresh.reused', userId, sessionId }]);
  // It has ended: that is no news.
  expect((await told('POST', '/auth/refresh', { body: { refreshToken }, status: 401 })).lines).toEqual([]);

  const other = await newPerson();
  const out = await told('POST', '/auth/logout', { ...as(other), status: 204 });
  const ended = { actorId: other.id, userId: other.id, sessionId: other.sessionId };
  expect(out.lines).toEqual([{ event: 'session.ended', ...ended }]);
});

test('who takes part in which chat, and as what', async () => {
  const body = { participantUserIds: [bob.id], name: 'A secret name', isGroup: true };
  const created = await told('POST', '/chats', { ...as(ada, body), status: 201 });
  const { id: chatId } = created.body as Chat;
  const by = { actorId: ada.id, chatId };
  expect(created.lines).toEqual([{ event: 'participants.added', ...by, userIds: [ada.id, bob.id] }]);
  secrets.add('A secret name');

  const people = `/chats/${chatId}/participants`;
  // Who takes part already is not added.
  const added = await told('POST', people, as(ada, { userIds: [bob.id, eve.id] }));
  expect(added.lines).toEqual([{ event: 'participants.added', ...by, userIds: [eve.id] }]);
  expect((await told('POST', people, as(ada, { userIds: [eve.id] }))).lines).toEqual([]);
  expect((await told('POST', people, { ...as(bob, { userIds: [eve.id] }), status: 403 })).lines).toEqual([]);

  const led = await told('PATCH', `${people}/${bob.id}`, as(ada, { role: 'admin' }));
  expect(led.lines).toEqual([{ event: 'role.changed', ...by, userId: bob.id, role: 'admin' }]);
  expect((await told('PATCH', `${people}/${bob.id}`, as(ada, { role: 'admin' }))).lines).toEqual([]);

  const removed = await told('DELETE', `${people}/${eve.id}`, { ...as(ada), status: 204 });
  expect(removed.lines).toEqual([{ event: 'participant.removed', ...by, userId: eve.id }]);
  // The last owner passes it on.
  const left = await told('DELETE', `${people}/${ada.id}`, { ...as(ada), status: 204 });
  expect(left.lines).toEqual([
    { event: 'participant.removed', ...by, userId: ada.id },
    { event: 'role.changed', ...by, userId: bob.id, role: 'owner' },
  ]);

  const deleted = await told('DELETE', `/chats/${chatId}`, { ...as(bob), status: 204 });
  expect(deleted.lines).toEqual([{ event: 'chat.deleted', actorId: bob.id, chatId, participants: 1 }]);
});

test('what the service token does, and that it is used: once a minute for each address and user', async () => {
  const byService = true;
  const made = await told('POST', '/auth/tokens', { ...asService, body: { userId: eve.id } });
  secrets.add(made.body.accessToken);
  const sessionId = decode(made.body.accessToken).payload.sid;
  expect(made.lines).toEqual([
    { event: 'service.used', actAs: 'service', count: 1 },
    { event: 'token.made', byService, userId: eve.id, sessionId },
  ]);

  const deactivated = await told('POST', `/users/${eve.id}/deactivate`, { ...asService, status: 204 });
  expect(deactivated.lines).toEqual([{ event: 'user.deactivated', byService, userId: eve.id }]);
  const refused = { body: { email: eve.email, password: testPassword }, status: 403 };
  expect((await told('POST', '/auth/login', refused)).lines).toEqual([
    { event: 'login.failed', reason: 'user_deactivated', userId: eve.id },
  ]);
  const reactivated = await told('POST', `/users/${eve.id}/reactivate`, { ...asService, status: 204 });
  expect(reactivated.lines).toEqual([{ event: 'user.reactivated', byService, userId: eve.id }]);

  const asAda = { token: serviceToken, actAs: ada.id };
  const group = { participantUserIds: [bob.id, eve.id] };
  const chat = await told('POST', '/chats', { ...asAda, body: group, status: 201 });
  expect(chat.lines).toMatchObject([
    { event: 'service.used', actAs: ada.id, count: 1 },
    { event: 'participants.added', actorId: ada.id, byService },
  ]);
  const message = { content: 'for nobody else', clientMessageId: newId() };
  secrets.add(message.content);
  const path = `/chats/${chat.body.id}/messages`;
  for (let sent = 0; sent < 3; sent += 1)
    expect((await told('POST', path, { ...asAda, body: message, status: 202 })).lines).toEqual([]);
  // Who guesses at it uses nothing.
  const guessed = { token: 'a guess', actAs: bob.id, status: 401 };
  expect((await told('GET', '/auth/me', guessed)).lines).toEqual([]);
});

test.each([
  ['dlq.replayed', { verb: 'replay', ids: 'all', sign: false, dataDir: undefined }],
  ['dlq.dropped', { verb: 'drop', ids: ['first', 'second'], dataDir: undefined }],
] as const)('%s tells what a command had done when it failed half-way', async (event, command) => {
  written.length = 0;
  async function* broken() {
    yield 'first';
    throw new Error('RabbitMQ is gone');
  }
  const store = { list: async () => [], replay: broken, drop: broken };
  const print = { out: () => {}, err: () => {} };
  const audit = createAudit(log)({ operator: 'ada@host' });
  const run = runDlq(command, store, async () => String, print, audit);
  await expect(run).rejects.toThrow('RabbitMQ is gone');
  expect(written.map((line) => JSON.parse(line))).toMatchObject([{ event, ids: ['first'] }]);
});

test('a line names a hundred at most, and a silent log has none', () => {
  written.length = 0;
  const ids = Array.from({ length: 250 }, (_, at) => `letter ${at}`);
  createAudit(log)({ operator: 'ada@host' })('dlq.dropped', { ids });
  const lines = written.map((line) => JSON.parse(line));
  expect(lines.map((line) => line.ids.length)).toEqual([100, 100, 50]);
  expect(lines.flatMap((line) => line.ids)).toEqual(ids);
  const silent = createLog({ logLevel: 'silent' }, 'api', { write: (line: string) => written.push(line) });
  createAudit(silent)({ operator: 'ada@host' })('dlq.dropped', { ids });
  expect(written).toHaveLength(3);
});
