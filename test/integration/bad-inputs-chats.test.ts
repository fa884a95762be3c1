import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Chat } from '../../src/shared/contract.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { type ChatApi, openChatApi, type TestUser } from '../support/chat-api.ts';
import { registeredChatRoutes } from '../support/chat-routes.ts';

const base = await embeddedBase();
const nobody = '0198c0de-0000-7000-8000-000000000000';

/** JSON of so many objects in one another. */
const levels = (count: number) => `${'{"a":'.repeat(count - 1)}{"b":1}${'}'.repeat(count - 1)}`;

/** @param rows what is given, as JSON where it is text, and the path of the one error */
function withExtra(field: string, rows: readonly (readonly [string, unknown, string | undefined])[]) {
  return rows.map(([what, value, path]) => {
    const json = typeof value === 'string' && /^[{["]/.test(value) ? value : JSON.stringify(value);
    const body = `{"content":"x","${field}":${json}}`;
    return [`${field}: ${what}`, body, 422, 'validation_failed', path] as const;
  });
}

describe('bad inputs to the routes below /chats', () => {
  let api: ChatApi;
  let [ann, bob]: TestUser[] = [];
  let chat: Chat;
  let otherChat: Chat;
  let otherMessageId: string;

  beforeAll(async () => {
    api = await openChatApi(base);
    [ann, bob] = (await api.newUsers(2)) as [TestUser, TestUser];
    chat = await api.newGroup(ann, bob);
    otherChat = await api.newGroup(ann);
    otherMessageId = (await api.send(ann, otherChat.id, 'elsewhere')).body.brokerMessageId;
    await api.stored(otherChat.id, 1);
  }, 60_000);
  afterAll(() => api.close());

  /** `path` is that of the one error listed, where there is one. */
  type Row = readonly [what: string, body: unknown, status: number, code: string, path?: string | undefined];

  const send: Row[] = [
    ['not JSON', '{"content": "x"', 400, 'malformed_json'],
    ['an empty body', '', 400, 'malformed_json'],
    ['null', 'null', 422, 'validation_failed', ''],
    ['an array', [], 422, 'validation_failed', ''],
    ['no content', {}, 422, 'validation_failed', 'content'],
    ['content: a number', { content: 7 }, 422, 'validation_failed', 'content'],
    ['content: null', { content: null }, 422, 'validation_failed', 'content'],
    ['content: an object', { content: { text: 'x' } }, 422, 'validation_failed', 'content'],
    ['content: empty', { content: '' }, 422, 'validation_failed', 'content'],
    ['content: blank', { content: ' \t\n\u00a0\u2003\ufeff' }, 422, 'validation_failed', 'content'],
    ['content: 8,001 units', { content: 'x'.repeat(8_001) }, 422, 'validation_failed', 'content'],
    ['content: 8,002 units in pairs', { content: '😀'.repeat(4_001) }, 422, 'validation_failed', 'content'],
    ['content: NUL', '{"content":"a\\u0000b"}', 422, 'validation_failed', 'content'],
    ['content: half a pair', '{"content":"a\\ud83d"}', 422, 'validation_failed', 'content'],
    ['content: a pair reversed', '{"content":"\\ude00\\ud83d"}', 422, 'validation_failed', 'content'],
    ['an unknown field', { content: 'x', senderId: nobody }, 422, 'validation_failed', 'senderId'],
    ['__proto__', '{"content":"x","__proto__":{"senderId":"y"}}', 422, 'validation_failed'],
    ['sentAt', { content: 'x', sentAt: '2020-01-01T00:00:00.000Z' }, 422, 'validation_failed', 'sentAt'],
    ['key: no UUID', { content: 'x', clientMessageId: '1' }, 422, 'validation_failed', 'clientMessageId'],
    ['key: null', { content: 'x', clientMessageId: null }, 422, 'validation_failed', 'clientMessageId'],
    ['key: empty', { content: 'x', clientMessageId: '' }, 422, 'validation_failed', 'clientMessageId'],
    [
      'key: in braces',
      { content: 'x', clientMessageId: `{${nobody}}` },
      422,
      'validation_failed',
      'clientMessageId',
    ],
    [
      'nested a thousand deep',
      `{"content":${'['.repeat(1_000)}${']'.repeat(1_000)}}`,
      422,
      'validation_failed',
    ],
    ['over 64 KiB', { content: 'x'.repeat(70_000) }, 413, 'body_too_large'],
    ...withExtra('replyTo', [
      ['null', null, 'replyTo'],
      ['a number', 7, 'replyTo'],
      ['no UUID', 'first', 'replyTo'],
      ['an object', { messageId: nobody }, 'replyTo'],
    ]),
    ...withExtra('mentions', [
      ['null', null, 'mentions'],
      ['a list', [nobody], 'mentions.userIds'],
      ['nothing', {}, 'mentions.userIds'],
      ['no list', { userIds: nobody }, 'mentions.userIds'],
      ['null as the list', { userIds: null }, 'mentions.userIds'],
      ['no UUID', { userIds: [nobody, 'ann'] }, 'mentions.userIds.1'],
      ['51 users', { userIds: Array(51).fill(nobody) }, 'mentions.userIds'],
      ['everyone as text', { userIds: [], everyone: 'true' }, 'mentions.everyone'],
      ['everyone as null', { userIds: [], everyone: null }, 'mentions.everyone'],
      ['an unknown field', { userIds: [], here: true }, 'mentions.here'],
      ['another prototype', '{"userIds":[],"__proto__":{"everyone":true}}', undefined],
    ]),
    ...withExtra('metadata', [
      ['null', null, 'metadata'],
      ['a list', [], 'metadata'],
      ['text', '"{}"', 'metadata'],
      ['a number', 2 ** 53, 'metadata'],
      ['4,097 bytes', { a: 'x'.repeat(4_097 - 8) }, 'metadata'],
      ['4,097 bytes of two each', { a: `x${'é'.repeat(2_044)}` }, 'metadata'],
      ['more bytes once it is escaped', { a: '\u0001'.repeat(700) }, 'metadata'],
      ['a number that JavaScript has not', '{"a":[1e999]}', 'metadata'],
      ['17 levels', levels(17), 'metadata'],
      ['17 levels of lists', `{"a":${'['.repeat(16)}${']'.repeat(16)}}`, 'metadata'],
      ['a thousand levels', levels(1_000), ''],
      ['NUL', '{"a":["\\u0000"]}', 'metadata.a.0'],
      ['NUL in a name', '{"a\\u0000":1}', 'metadata'],
      ['half a pair', '{"a":{"b":"\\ud800"}}', 'metadata.a.b'],
      ['half a pair in a name', '{"\\udc00":1}', 'metadata'],
      ['half a pair in another prototype', '{"__proto__":{"a":"\\ud800"}}', undefined],
    ]),
  ];
  const create: Row[] = [
    ['no participants', {}, 422, 'validation_failed', 'participantUserIds'],
    ['a string', { participantUserIds: nobody }, 422, 'validation_failed', 'participantUserIds'],
    ['an id that is none', { participantUserIds: ['x'] }, 422, 'validation_failed', 'participantUserIds.0'],
    ['nobody else', { participantUserIds: [] }, 422, 'validation_failed', 'participantUserIds'],
    ['a user of nobody', { participantUserIds: [nobody] }, 404, 'user_not_found'],
    ['blank name', { participantUserIds: [nobody], name: ' ' }, 422, 'validation_failed', 'name'],
    ['long name', { participantUserIds: [nobody], name: 'x'.repeat(201) }, 422, 'validation_failed', 'name'],
    [
      'a direct chat with a name',
      { participantUserIds: [nobody], name: 'x', isGroup: false },
      422,
      'validation_failed',
      'isGroup',
    ],
    [
      'a direct chat of three',
      { participantUserIds: [nobody, nobody.replace('c0de', 'beef')], isGroup: false },
      422,
      'validation_failed',
      'isGroup',
    ],
    ['isGroup: a string', { participantUserIds: [], isGroup: 'yes' }, 422, 'validation_failed', 'isGroup'],
    ['direct_key', { participantUserIds: [], directKey: 'x' }, 422, 'validation_failed', 'directKey'],
    [
      '1,001 named',
      { participantUserIds: Array(1_001).fill(nobody) },
      422,
      'validation_failed',
      'participantUserIds',
    ],
  ];
  const add: Row[] = [
    ['nobody', { userIds: [] }, 422, 'validation_failed', 'userIds'],
    ['no list', { userIds: null }, 422, 'validation_failed', 'userIds'],
    ['an id that is none', { userIds: [nobody, '../'] }, 422, 'validation_failed', 'userIds.1'],
    ['role', { userIds: [nobody], role: 'owner' }, 422, 'validation_failed', 'role'],
    ['a user of nobody', { userIds: [nobody] }, 404, 'user_not_found'],
    ['1,001 named', { userIds: Array(1_001).fill(nobody) }, 422, 'validation_failed', 'userIds'],
  ];

  for (const [title, path, rows] of [
    ['send', () => `/chats/${chat.id}/messages`, send],
    ['create', () => '/chats', create],
    ['add', () => `/chats/${chat.id}/participants`, add],
  ] as const) {
    for (const [what, body, status, code, errorPath] of rows) {
      test(`POST ${title}: ${what}`, async () => {
        const before = await api.call(ann!, 'GET', `/chats/${chat.id}`);
        const queued = api.sent.length;
        const answer = await api.call(ann!, 'POST', path(), body);
        expectProblem(answer, status, code, errorPath);
        expect(api.sent).toHaveLength(queued);
        expect((await api.call(ann!, 'GET', `/chats/${chat.id}`)).body).toEqual(before.body);
      });
    }
  }

  test('create: a direct chat with oneself', async () => {
    for (const body of [{ participantUserIds: [ann!.id] }, { participantUserIds: [], isGroup: false }]) {
      expectProblem(
        await api.call(ann!, 'POST', '/chats', body),
        422,
        'validation_failed',
        'participantUserIds',
      );
    }
  });

  test('415: bodies of another type, or of none', async () => {
    for (const type of [undefined, 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonp']) {
      const response = await api.app.request(`/chats/${chat.id}/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ann!.token}`, ...(type ? { 'content-type': type } : {}) },
        body: Buffer.from('{"content":"x"}'),
      });
      expect([type, response.status]).toEqual([type, 415]);
    }
  });

  const cursorOf = (position: unknown) => Buffer.from(JSON.stringify(position)).toString('base64url');
  const refusedCursors = [
    '',
    '-1',
    'x',
    '%00',
    '!!!!',
    "'; DROP TABLE chats; --",
    'x'.repeat(10_000),
    Buffer.from('{').toString('base64url'),
    cursorOf(null),
    cursorOf([]),
    cursorOf([1]),
    cursorOf([1, 2, 3]),
    cursorOf([-1, nobody]),
    cursorOf([1e300, nobody]),
    cursorOf([8.64e15, 1]),
    cursorOf([1.5, nobody]),
    cursorOf(['2026-01-01', nobody]),
    cursorOf([1, 'no id']),
    cursorOf([1, -1]),
    cursorOf([1, 2 ** 60]),
    cursorOf({ 0: 1, 1: nobody, length: 2 }),
  ];
  const refusedSequences = [
    '-1',
    '-9223372036854775808',
    '9007199254740992',
    '99999999999999999999',
    '1.5',
    '1e3',
    'NaN',
    '',
    'abc',
    '0x10',
    ' 1',
    '١',
  ];
  const refusedLimits = ['0', '-1', '101', '1000', '99999999999999999999', '1.5', '', 'abc', '1e1', '٣'];

  test('422: cursors that no list has given', async () => {
    for (const list of ['/chats', `/chats/${chat.id}/participants`]) {
      for (const cursor of refusedCursors) {
        const answer = await api.call(ann!, 'GET', `${list}?cursor=${encodeURIComponent(cursor)}`);
        expectProblem(answer, 422, 'validation_failed', 'cursor');
      }
    }
    // Each list's own cursors are no use to the other.
    expectProblem(
      await api.call(ann!, 'GET', `/chats?cursor=${cursorOf([1, 1])}`),
      422,
      'validation_failed',
      'cursor',
    );
  });

  test('422: sequences and limits that are none', async () => {
    for (const name of ['before', 'after']) {
      for (const value of refusedSequences) {
        const path = `/chats/${chat.id}/messages?${name}=${encodeURIComponent(value)}`;
        expectProblem(await api.call(ann!, 'GET', path), 422, 'validation_failed', name);
      }
    }
    for (const value of refusedSequences) {
      const path = `/chats/${chat.id}/changes?after=${encodeURIComponent(value)}`;
      expectProblem(await api.call(ann!, 'GET', path), 422, 'validation_failed', 'after');
    }
    for (const list of ['/chats', `/chats/${chat.id}/participants`, `/chats/${chat.id}/messages`]) {
      for (const value of refusedLimits) {
        const path = `${list}?limit=${encodeURIComponent(value)}`;
        expectProblem(await api.call(ann!, 'GET', path), 422, 'validation_failed', 'limit');
      }
    }
  });

  test('422: before and after together, unknown parameters, one given twice, one left out', async () => {
    const changes = `/chats/${chat.id}/changes`;
    expectProblem(await api.call(ann!, 'GET', changes), 422, 'validation_failed', 'after');
    expectProblem(
      await api.call(ann!, 'GET', `${changes}?after=0&limit=1`),
      422,
      'validation_failed',
      'limit',
    );
    const history = `/chats/${chat.id}/messages`;
    expectProblem(await api.call(ann!, 'GET', `${history}?before=2&after=1`), 422, 'validation_failed', '');
    expectProblem(await api.call(ann!, 'GET', `${history}?offset=1`), 422, 'validation_failed', 'offset');
    expectProblem(
      await api.call(ann!, 'GET', `${history}?limit=1&limit=2`),
      422,
      'validation_failed',
      'limit',
    );
    expectProblem(await api.call(ann!, 'GET', '/chats?page=2'), 422, 'validation_failed', 'page');
  });

  test('every route: ids that are no UUIDs, a parameter that it does not know, a body that is no object', async () => {
    const ids = ['1', 'me', `${nobody}0`, nobody.replaceAll('-', ''), `{${nobody}}`, '%00', '..%2f', '%ff'];
    for (const { method, path, body } of registeredChatRoutes) {
      const names = [...path.matchAll(/:(\w+)/g)].map(([, name]) => String(name));
      const pathWith = (bad?: string, id = nobody) =>
        path.replace(/:(\w+)/g, (_, name) => (name === bad ? id : nobody));
      const refused = async (asked: string, given: unknown, status: number, code: string, of?: string) =>
        expectProblem(await api.call(ann!, method, asked, given), status, code, of);
      for (const name of names)
        for (const id of ids) await refused(pathWith(name, id), undefined, 422, 'validation_failed', name);
      await refused(`${pathWith()}?unknown=1`, undefined, 422, 'validation_failed', 'unknown');
      if (!body) continue;
      await refused(pathWith(), undefined, 415, 'unsupported_media_type');
      await refused(pathWith(), '{"a":', 400, 'malformed_json');
      await refused(pathWith(), `{"a":"${'x'.repeat(65_536)}"}`, 413, 'body_too_large');
      for (const none of ['null', '[]', '"x"', '7', '1e999'])
        await refused(pathWith(), none, 422, 'validation_failed', '');
      for (const name of ['unknown', 'constructor', '__proto__'])
        await refused(pathWith(), `{"${name}":{"a":1}}`, 422, 'validation_failed', name);
    }
  });

  const odd = [
    ...[
      'null',
      'true',
      '0',
      '-1',
      '1.5',
      '9007199254740992',
      '1e999',
      '""',
      '" "',
      '"x"',
      '"\\u0000"',
      '"\\ud800"',
    ],
    ...['[]', '{}', '[null]', '[1e999]', '{"__proto__":{}}', '{"\\u0000":1}'],
  ];
  const anyText = ['"x"'];
  const objects = ['{}', '{"__proto__":{}}'];
  const said = [
    ['content', '{"content":#}', anyText],
    ['mentions', '{"content":"x","mentions":#}', []],
    ['mentions', '{"content":"x","mentions":{"userIds":#}}', ['[]']],
    ['mentions', '{"content":"x","mentions":{"userIds":[#]}}', []],
    ['mentions', '{"content":"x","mentions":{"userIds":[],"everyone":#}}', ['true']],
    ['metadata', '{"content":"x","metadata":#}', objects],
    [
      'metadata',
      '{"content":"x","metadata":{"a":[#]}}',
      odd.filter((value) => !/1e999|u0000|ud800/.test(value)),
    ],
  ] as const;
  const sent = [
    ...said,
    ['clientMessageId', '{"content":"x","clientMessageId":#}', []],
    ['replyTo', '{"content":"x","replyTo":#}', []],
  ] as const;
  const set = [
    ['notify', '{"notify":#}', []],
    ['mutedUntil', '{"mutedUntil":#}', ['null']],
    ['pinned', '{"pinned":#}', ['true']],
    ['archived', '{"archived":#}', ['true']],
  ] as const;
  const created = [
    ['participantUserIds', '{"isGroup":true,"participantUserIds":#}', ['[]']],
    ['participantUserIds', '{"isGroup":true,"participantUserIds":[#]}', []],
    ['name', '{"participantUserIds":[],"isGroup":true,"name":#}', ['null', '"x"']],
    ['isGroup', '{"participantUserIds":[],"name":"x","isGroup":#}', ['true']],
  ] as const;

  test.each([
    ['POST', '/chats', created],
    ['POST', '/chats/:chatId/messages', sent],
    ['PATCH', '/chats/:chatId/messages/:messageId', said],
    ['PUT', '/chats/:chatId/read', [['sequence', '{"sequence":#}', ['0']]]],
    ['PUT', '/chats/:chatId/read', [['version', '{"sequence":1,"version":#}', ['0']]]],
    ['PUT', '/chats/:chatId/unread', [['sequence', '{"sequence":#}', []]]],
    ['PATCH', '/chats/:chatId/membership', set],
    ['POST', '/chats/:chatId/participants', [['userIds', '{"userIds":#}', []]]],
    ['POST', '/chats/:chatId/participants', [['userIds', '{"userIds":[#]}', []]]],
    ['PATCH', '/users/me', [['readReceipts', '{"readReceipts":#}', ['true']]]],
  ] as const)('%s %s: whatever JSON is in the place of a field', async (method, path, fields) => {
    const filled = path.replace(':chatId', otherChat.id).replace(':messageId', otherMessageId);
    for (const [field, template, accepted] of fields) {
      for (const value of odd) {
        const body = template.replace('#', value);
        const answer = await api.call(ann!, method, filled, body);
        const at = (answer.body?.errors ?? []).map((one: { path: string }) => one.path.split('.')[0]);
        const expected = accepted.some((one) => one === value) ? [] : [field];
        expect([body, answer.status < 300, [...new Set(at)]]).toEqual([
          body,
          expected.length === 0,
          expected,
        ]);
        if (expected.length > 0) expectProblem(answer, 422, 'validation_failed');
      }
    }
  });

  test('404: ids of no chat, of no message, and of another chat', async () => {
    for (const [method, path, code, body] of [
      ['GET', `/chats/${nobody}`, 'chat_not_found'],
      ['POST', `/chats/${nobody}/messages`, 'chat_not_found', { content: 'x' }],
      ['GET', `/chats/${nobody}/messages`, 'chat_not_found'],
      ['GET', `/chats/${chat.id}/messages/${nobody}`, 'message_not_found'],
      ['GET', `/chats/${chat.id}/messages/${otherMessageId}`, 'message_not_found'],
      ['DELETE', `/chats/${chat.id}/participants/${nobody}`, 'user_not_found'],
      ['GET', `/chats/${chat.id}/message`, 'route_not_found'],
    ] as const) {
      expectProblem(await api.call(ann!, method, path, body), 404, code);
    }
  });

  test('405: a method that the path has not', async () => {
    for (const [method, path] of [
      ['PUT', `/chats/${chat.id}`],
      ['DELETE', '/chats'],
      ['PUT', `/chats/${chat.id}/messages`],
      ['POST', `/chats/${chat.id}/messages/${nobody}`],
    ] as const) {
      expectProblem(await api.call(ann!, method, path), 405, 'method_not_allowed');
    }
  });
});

function expectProblem(
  answer: { status: number; headers: Headers; body: { [name: string]: unknown } },
  status: number,
  code: string,
  errorPath?: string,
): void {
  expect(answer.body).toMatchObject({
    type: `urn:confab:error:${code}`,
    status,
    code,
    requestId: expect.any(String),
  });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  if (errorPath !== undefined) {
    expect((answer.body.errors as { path: string }[]).map(({ path }) => path)).toContain(errorPath);
  }
}
