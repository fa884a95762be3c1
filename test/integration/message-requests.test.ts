import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Database } from '../../src/db/database.ts';
import type { Chat, MessagePage } from '../../src/shared/contract.ts';
import { ChatError } from '../../src/shared/errors.ts';
import { newId } from '../../src/shared/ids.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { type ChatApi, openChatApi, type TestUser } from '../support/chat-api.ts';

const key = '0198c0de-0000-7000-8000-00000000000a';
const { database, facts } = await embeddedBase();

let api: ChatApi;
let [ann, bob]: TestUser[] = [];
let chat: Chat;
let empty: Chat;
let foreign: Chat;
let databaseDown: Error | 'silent' | undefined;

beforeAll(async () => {
  const apiDatabase: Database = {
    ...database,
    queryText(text, parameters) {
      if (databaseDown === 'silent') return new Promise(() => {});
      return databaseDown ? Promise.reject(databaseDown) : database.queryText(text, parameters);
    },
  };
  api = await openChatApi({ database, facts, apiDatabase, deadlineMs: 2_000 });
  [ann, bob] = (await api.newUsers(2)) as [TestUser, TestUser];
  [chat, empty, foreign] = [await api.newGroup(ann, bob), await api.newGroup(ann), await api.newGroup(bob)];
  for (const content of ['Grüße 🧭', '"\\\u0001\u2028', ...Array(58).fill('x'.repeat(100))]) {
    await api.send(ann, chat.id, content);
  }
  await api.stored(chat.id, 60);
}, 60_000);
afterAll(() => api.close());

/** Its status, and its code where it is a problem, whose shape and headers are looked at. */
async function outcomeOf(answer: Response): Promise<string> {
  const requestId = answer.headers.get('x-request-id') ?? '';
  expect(requestId).toMatch(/^[\w-]{6,}$/);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(answer.headers.get('vary')).toBe('Origin');
  const problem = answer.status >= 400;
  expect(answer.headers.get('content-type')).toBe(`application/${problem ? 'problem+json' : 'json'}`);
  const body = (await answer.json()) as { code?: string; requestId?: string };
  expect(body.requestId).toBe(problem ? requestId : undefined);
  return problem ? `${answer.status} ${body.code}` : String(answer.status);
}

describe('a page of history', () => {
  const read = async (path: string, headers: Record<string, string> = {}) =>
    api.app.request(path, { headers: { authorization: `Bearer ${ann!.token}`, ...headers } });

  const pages: [query: string, length: number, hasBefore: boolean, hasAfter: boolean][] = [
    ['', 50, true, false],
    ['?', 50, true, false],
    ['?limit=50', 50, true, false],
    ['?limit=100', 60, false, false],
    ['?limit=3&before=10', 3, true, true],
    ['?before=10&limit=3', 3, true, true],
    ['?after=57', 3, true, false],
    ['?after=0&limit=2', 2, false, true],
    ['?after=60', 0, true, false],
    ['?before=1', 0, false, true],
    ['?before=0', 0, false, true],
    ['?before=9007199254740991&limit=1', 1, true, false],
    ['?after=9007199254740991', 0, true, false],
    ['?%6cimit=3', 3, true, false],
    ['?limit=3&', 3, true, false],
    ['?limit=3#newest', 3, true, false],
  ];
  test.each(pages)('%p', async (query, length, hasBefore, hasAfter) => {
    const answer = await read(`/chats/${chat.id}/messages${query}`);
    expect(answer.status).toBe(200);
    const { data, page } = (await answer.json()) as MessagePage;
    expect(data.length).toBe(length);
    expect(page).toEqual({ hasBefore, hasAfter, eventSequence: 62 });
  });

  const invalid = '422 validation_failed';
  const rows: [
    what: string,
    outcome: string,
    query: string,
    headers?: Record<string, string>,
    chat?: () => string,
  ][] = [
    ['an empty chat', '200', '', {}, () => empty.id],
    ['a body, be it empty', '200', '', { 'content-length': '0' }],
    ['no token', '401 token_missing', '', { authorization: '' }],
    ['no token and a bad query', '401 token_missing', '?limit=0', { authorization: '' }],
    ['no token and an unknown parameter', invalid, '?offset=3', { authorization: '' }],
    ['a forged token', '401 token_invalid', '', { authorization: 'Bearer x.y.z' }],
    ['another scheme', '401 token_missing', '', { authorization: 'Basic eDp5' }],
    ['a foreign chat', '404 chat_not_found', '', {}, () => foreign.id],
    ['no chat', '404 chat_not_found', '', {}, newId],
    ['an id that is none', invalid, '', {}, () => 'x'],
    ['an id in upper case', '200', '', {}, () => chat.id.toUpperCase()],
    ['an escaped id', '200', '', {}, () => chat.id.replace('-', '%2D')],
    ['a limit of none', invalid, '?limit=0'],
    ['too many', invalid, '?limit=101'],
    ['a limit with a zero before', invalid, '?limit=007'],
    ['a limit that is no number', invalid, '?limit=ten'],
    ['a limit without a value', invalid, '?limit='],
    ['a limit without a sign', invalid, '?limit'],
    ['a limit twice', invalid, '?limit=1&limit=2'],
    ['a number beyond all', invalid, '?before=9007199254740993'],
    ['a number with seventeen digits', invalid, '?after=10000000000000000'],
    ['before and after', invalid, '?before=3&after=1'],
    ['an unknown parameter', invalid, '?offset=3'],
    ["a parameter called as every object's own", invalid, '?constructor=3'],
    ["a parameter called as every object's prototype", invalid, '?__proto__=3'],
    ['a parameter with a plus', invalid, '?limit=+3'],
    ['a slash at the end', '404 route_not_found', '/'],
  ];
  test.each(rows)('with %s: %s', async (_, outcome, query, headers = {}, chatId = () => chat.id) => {
    expect(await outcomeOf(await read(`/chats/${chatId()}/messages${query}`, headers))).toBe(outcome);
  });

  test('carries the caller’s id, and may be read by an allowed origin', async () => {
    const origin = 'https://chat.example';
    const { headers } = await read(`/chats/${chat.id}/messages`, { origin, 'x-request-id': 'mine-1' });
    expect(headers.get('x-request-id')).toBe('mine-1');
    expect(headers.get('access-control-allow-origin')).toBe(origin);
  });

  test('PostgreSQL refuses, nobody foresaw what goes wrong, or it keeps silent', async () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const outcomes: string[] = [];
    for (const fault of [refused, new TypeError('oops'), 'silent'] as const) {
      databaseDown = fault;
      outcomes.push(await outcomeOf(await read(`/chats/${chat.id}/messages`)));
    }
    databaseDown = undefined;
    expect(outcomes).toEqual(['503 database_unavailable', '500 internal_error', '503 database_unavailable']);
  });
});

/** Whether its length is stated or it comes in chunks. */
describe.each(['stated', 'chunked'])('a send whose length is %s', (length) => {
  const send = async (body: string | Buffer, headers: Record<string, string> = {}, chatId = chat.id) =>
    api.app.request(`/chats/${chatId}/messages`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${ann!.token}`,
        ...headers,
        ...(length === 'stated' ? { 'content-length': String(Buffer.byteLength(body)) } : {}),
      },
      body: new Response(body).body,
    });

  const good = JSON.stringify({ content: 'Grüße 🧭', clientMessageId: key });
  const invalid = '422 validation_failed';
  const otherType = '415 unsupported_media_type';
  const rows: [
    what: string,
    outcome: string,
    body: string | Buffer,
    headers?: Record<string, string>,
    chat?: () => string,
  ][] = [
    ['nothing unusual', '202', good],
    ['an upper-case key', '202', JSON.stringify({ content: 'Grüße 🧭', clientMessageId: key.toUpperCase() })],
    ['its charset named', '202', good, { 'content-type': 'application/json; charset=utf-8' }],
    ['its type in capitals', '202', good, { 'content-type': 'Application/JSON ;x' }],
    ['an unknown parameter', invalid, good, {}, () => `${chat.id}/messages?silent=1#`],
    ['no token', '401 token_missing', good, { authorization: '' }],
    ['a forged token', '401 token_invalid', good, { authorization: 'Bearer x.y.z' }],
    ['another scheme', '401 token_missing', good, { authorization: 'Basic eDp5' }],
    ['a foreign chat', '404 chat_not_found', good, {}, () => foreign.id],
    ['no chat', '404 chat_not_found', good, {}, () => key],
    ['an id that is none', invalid, good, {}, () => 'x'],
    ['an id in upper case', '202', good, {}, () => chat.id.toUpperCase()],
    ['another type', otherType, good, { 'content-type': 'text/plain' }],
    ['no type', otherType, good, { 'content-type': '' }],
    ['a coding', otherType, Buffer.from(Bun.gzipSync(good)), { 'content-encoding': 'gzip' }],
    ['the coding that is none', '202', good, { 'content-encoding': 'identity' }],
    ['an empty body', '400 malformed_json', ''],
    ['no JSON', '400 malformed_json', '{"content":'],
    ['what is no UTF-8', '400 malformed_json', Buffer.from('{"content":"\xff"}', 'latin1')],
    ['an array', invalid, '[]'],
    ['no content', invalid, '{}'],
    ['blank content', invalid, '{"content":" "}'],
    ['NUL', invalid, '{"content":"\\u0000"}'],
    ['a long content', invalid, JSON.stringify({ content: 'x'.repeat(8_001) })],
    ['an unknown field', invalid, '{"content":"x","sentAt":1}'],
    ['a body that is too deep', invalid, `{"content":${'['.repeat(30_000)}${']'.repeat(30_000)}}`],
    ['a body that is too large', '413 body_too_large', JSON.stringify({ content: 'x'.repeat(70_000) })],
  ];
  test.each(rows)('with %s: %s', async (_, outcome, body, headers = {}, chatId = () => chat.id) => {
    expect(await outcomeOf(await send(body, headers, chatId()))).toBe(outcome);
  });

  test('the broker refuses, or nobody foresaw what goes wrong', async () => {
    api.faults.sendQueue = new ChatError('broker_unavailable', undefined, { retryAfterSeconds: 7 });
    const refused = await send(good);
    api.faults.sendQueue = new TypeError('oops');
    const unforeseen = await send(good);
    delete api.faults.sendQueue;
    expect(refused.headers.get('retry-after')).toBe('7');
    expect(await outcomeOf(refused)).toBe('503 broker_unavailable');
    expect(await outcomeOf(unforeseen)).toBe('500 internal_error');
  });

  test('the broker keeps silent', async () => {
    api.faults.sendQueue = 'silent';
    const answer = await send(good);
    delete api.faults.sendQueue;
    expect(await outcomeOf(answer)).toBe('503 broker_unavailable');
  });
});
