import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Database } from '../../src/db/database.ts';
import type { Chat, MessagePage, Problem } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { createTestApi } from '../support/api.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { type ChatApi, openChatApi, type TestUser } from '../support/chat-api.ts';
import { comparableAnswer } from '../support/comparable-answer.ts';

/** A page that is asked for without a body has a way of its own; with one, be it empty, the same request goes by the route. */
const byRoute = { 'content-length': '0' };

const base = await embeddedBase();
const { database, facts } = base;

describe('a page of history has the same answer on both ways', () => {
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
    api = await openChatApi({ database, facts, apiDatabase, deadlineMs: 500 });
    [ann, bob] = (await api.newUsers(2)) as [TestUser, TestUser];
    [chat, empty, foreign] = [await api.newGroup(ann, bob), await api.newGroup(ann), await api.newGroup(bob)];
    for (const content of ['Grüße 🧭', '"\\\u0001\u2028', ...Array(58).fill('x'.repeat(100))]) {
      await api.send(ann, chat.id, content);
    }
    await api.stored(chat.id, 60);
  }, 60_000);
  afterAll(() => api.close());

  async function read(path: string, headers: Record<string, string> = {}) {
    return comparableAnswer(
      await api.app.request(path, { headers: { authorization: `Bearer ${ann!.token}`, ...headers } }),
    );
  }

  async function bothWays(path: string, headers: Record<string, string> = {}) {
    const direct = await read(path, headers);
    const routed = await read(path, { ...headers, ...byRoute });
    expect({ ...direct, requestId: '' }).toEqual({ ...routed, requestId: '' });
    expect(direct.requestId).toMatch(/^[\w-]{6,}$/);
    return direct;
  }

  const pages: [query: string, length: number, hasBefore: boolean, hasAfter: boolean][] = [
    ['', 50, true, false],
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
  ];
  test.each(pages)('%p', async (query, length, hasBefore, hasAfter) => {
    const { status, body } = await bothWays(`/chats/${chat.id}/messages${query}`);
    expect(status).toBe(200);
    const { data, page }: MessagePage = JSON.parse(body);
    expect(data.length).toBe(length);
    expect(page).toEqual({ hasBefore, hasAfter, eventSequence: 62 });
  });

  const rows: [what: string, query: string, headers?: Record<string, string>, chat?: () => string][] = [
    ['an empty chat', '', {}, () => empty.id],
    ['an id of the request', '', { 'x-request-id': 'mine-1' }],
    ['a page of an allowed origin', '', { origin: 'https://chat.example' }],
    ['a page of another origin', '', { origin: 'https://evil.example' }],
    ['no token', '', { authorization: '' }],
    ['no token and a bad query', '?limit=0', { authorization: '' }],
    ['a forged token', '', { authorization: 'Bearer x.y.z' }],
    ['another scheme', '', { authorization: 'Basic eDp5' }],
    ['a foreign chat', '', {}, () => foreign.id],
    ['no chat', '', {}, newId],
    ['an id that is none', '', {}, () => 'x'],
    ['an id in upper case', '', {}, () => chat.id.toUpperCase()],
    ['an empty query', '?'],
    ['a limit of none', '?limit=0'],
    ['too many', '?limit=101'],
    ['a limit with a zero before', '?limit=007'],
    ['a limit that is no number', '?limit=ten'],
    ['a limit without a value', '?limit='],
    ['a limit without a sign', '?limit'],
    ['a limit twice', '?limit=1&limit=2'],
    ['a number beyond all', '?before=9007199254740993'],
    ['a number with seventeen digits', '?after=10000000000000000'],
    ['before and after', '?before=3&after=1'],
    ['an unknown parameter', '?offset=3'],
    ["a parameter called as every object's own", '?constructor=3'],
    ['an escaped parameter', '?%6cimit=3'],
    ['a parameter with a plus', '?limit=+3'],
    ['an end too many', '?limit=3&'],
  ];
  test.each(rows)('%s', async (_, query, headers = {}, chatId = () => chat.id) => {
    const asked = chatId();
    await bothWays(`/chats/${asked}/messages${query}`, headers);
  });

  test('PostgreSQL refuses, nobody foresaw what goes wrong, or it keeps silent', async () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const statuses: number[] = [];
    for (const fault of [refused, new TypeError('oops'), 'silent'] as const) {
      databaseDown = fault;
      const answer = await bothWays(`/chats/${chat.id}/messages`);
      statuses.push(answer.status);
    }
    databaseDown = undefined;
    expect(statuses).toEqual([503, 500, 503]);
  });
});

test('a plain request takes the way past the routes, an unusual one does not', async () => {
  // No chat routes: what does not say `route_not_found` was not answered by one.
  const { get, api, signUp } = await createTestApi(base);
  const { accessToken } = await signUp();
  const path = `/chats/${newId()}/messages`;
  const codeOf = async (answer: Response) => ((await answer.json()) as Problem).code;
  const authorization = `Bearer ${accessToken}`;
  const codes = {
    plain: await codeOf(await get(path, accessToken)),
    newest: await codeOf(await get(`${path}?limit=50`, accessToken)),
    older: await codeOf(await get(`${path}?limit=50&before=9`, accessToken)),
    escaped: await codeOf(await get(`${path}?%6cimit=50`, accessToken)),
    twice: await codeOf(await get(`${path}?limit=50&limit=50`, accessToken)),
    withBody: await codeOf(await api.request(path, { headers: { authorization, ...byRoute } })),
    deeper: await codeOf(await get(`${path}/`, accessToken)),
  };
  const [direct, routed] = ['chat_not_found', 'route_not_found'] as const;
  expect(codes).toEqual({
    ...{ plain: direct, newest: direct, older: direct },
    ...{ escaped: routed, twice: routed, withBody: routed, deeper: routed },
  });
});
