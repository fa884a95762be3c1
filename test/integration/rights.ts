import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Chat, ErrorCode } from '../../src/shared/contract.ts';
import { errorTable } from '../../src/shared/errors.ts';
import { newId } from '../../src/shared/ids.ts';
import type { ChatApi, TestUser } from '../support/chat-api.ts';
import { registeredChatRoutes } from '../support/chat-routes.ts';
import type { ApiDocument } from '../support/documented.ts';

/** In a direct chat nobody leads, whoever of the two began it, and nobody is removed. */
const columns = {
  group: ['owner', 'admin', 'member', 'removed', 'stranger'],
  direct: ['owner', 'member', 'stranger'],
} as const;
type Kind = keyof typeof columns;
type Role = (typeof columns)[Kind][number];

/** A status, or the code of a problem; of a list, whether it has the chat. */
type Outcome = 200 | 202 | 204 | 'listed' | 'not listed' | ErrorCode;

/** A chat of one row. All who take part in it have said something, the removed too. */
interface Scene {
  chat: Chat;
  people: Partial<Record<Role, TestUser>>;
  /** Of a group: a member for each column. */
  guests: readonly TestUser[];
  /** Ids of messages, by who sent them. */
  said: Partial<Record<Role, string>>;
}
interface Asked {
  /** Of the path, beside the chat's. */
  params?: Record<string, string | undefined>;
  query?: string;
  body?: object;
}
interface Row {
  route: string;
  /** Of several rows of one route. */
  what?: string;
  ask?: (scene: Scene, me: TestUser, column: number) => Asked;
  /** In the order of the columns; left out where the kind of chat has no such thing. */
  group?: readonly Outcome[];
  direct?: readonly Outcome[];
}

const newcomer = '0198c0de-0000-7000-8000-000000000001';
const hidden = 'chat_not_found';
const all = (yes: Outcome, no: Outcome = hidden) => ({
  group: [yes, yes, yes, no, no],
  direct: [yes, yes, no],
});
const listed = all('listed', 'not listed');
const refused = 'not_allowed';
const notOwner = 'not_owner';
const fixed = { direct: ['chat_is_direct', 'chat_is_direct', hidden] } as const;

const body = (given: object) => () => ({ body: given });
const of =
  (sender: Role, given?: object) =>
  ({ said }: Scene) => ({
    params: { messageId: said[sender] },
    ...(given ? { body: given } : {}),
  });
const edit = { content: 'edited' };
const after = () => ({ query: '?after=0' });
const toAll = { content: 'all', mentions: { userIds: [], everyone: true } };
const message = '/chats/:chatId/messages/:messageId';
const participant = 'DELETE /chats/:chatId/participants/:userId';
const role = 'PATCH /chats/:chatId/participants/:userId';
const participants = 'POST /chats/:chatId/participants';

// biome-ignore format: a table reads by its rows
const rows: readonly Row[] = [
  { route: 'GET /chats', ...listed },
  { route: 'GET /chats/unread', ...listed },
  { route: 'GET /chats/:chatId', ...all(200) },
  { route: 'GET /chats/:chatId/participants', ...all(200) },
  { route: 'GET /chats/:chatId/messages', ...all(200) },
  { route: 'GET /chats/:chatId/messages', what: 'after a number', ask: after, ...all(200) },
  { route: `GET ${message}`, ask: of('owner'), ...all(200) },
  { route: 'GET /chats/:chatId/changes', ask: after, ...all(200) },
  { route: 'PUT /chats/:chatId/typing', ask: body({ typing: true }), ...all(204) },
  { route: 'PUT /chats/:chatId/read', ask: body({ sequence: 1 }), ...all(200) },
  { route: 'PUT /chats/:chatId/unread', ask: body({ sequence: 1 }), ...all(200) },
  { route: 'PATCH /chats/:chatId/membership', ask: body({ pinned: true }), ...all(200) },
  { route: 'POST /chats/:chatId/messages', ask: body({ content: 'sent' }), ...all(202) },
  { route: 'POST /chats/:chatId/messages', what: 'to everyone', ask: body(toAll), ...all(202) },
  //                                                                             owner    admin    member   removed stranger       owner    member   stranger
  { route: `PATCH ${message}`, what: 'of the owner', ask: of('owner', edit), group: [200, refused, refused, hidden, hidden], direct: [200, refused, hidden] },
  { route: `PATCH ${message}`, what: 'of the admin', ask: of('admin', edit), group: [refused, 200, refused, hidden, hidden] },
  { route: `PATCH ${message}`, what: 'of the member', ask: of('member', edit), group: [refused, refused, 200, hidden, hidden], direct: [refused, 200, hidden] },
  { route: `PATCH ${message}`, what: 'of the removed', ask: of('removed', edit), group: [refused, refused, refused, hidden, hidden] },
  { route: `DELETE ${message}`, what: 'of the owner', ask: of('owner'), group: [204, 204, refused, hidden, hidden], direct: [204, refused, hidden] },
  { route: `DELETE ${message}`, what: 'of the admin', ask: of('admin'), group: [204, 204, refused, hidden, hidden] },
  { route: `DELETE ${message}`, what: 'of the member', ask: of('member'), group: [204, 204, 204, hidden, hidden], direct: [refused, 204, hidden] },
  { route: `DELETE ${message}`, what: 'of the removed', ask: of('removed'), group: [204, 204, refused, hidden, hidden] },
  { route: participants, what: 'another', ask: body({ userIds: [newcomer] }), group: [200, 200, notOwner, hidden, hidden], ...fixed },
  { route: participants, what: 'oneself', ask: (_, { id }) => ({ body: { userIds: [id] } }), group: [200, 200, notOwner, hidden, hidden], ...fixed },
  { route: participant, what: 'a member', ask: ({ guests }, _, column) => ({ params: { userId: guests[column]?.id ?? newcomer } }), group: [204, 204, notOwner, hidden, hidden], ...fixed },
  { route: participant, what: 'who is not in it', ask: () => ({ params: { userId: newcomer } }), group: ['user_not_found', 'user_not_found', notOwner, hidden, hidden], ...fixed },
  { route: participant, what: 'the owner', ask: ({ people }) => ({ params: { userId: people.owner?.id } }), group: [204, notOwner, notOwner, hidden, hidden], ...fixed },
  { route: participant, what: 'oneself', ask: (_, { id }) => ({ params: { userId: id } }), group: [204, 204, 204, hidden, hidden], ...fixed },
  { route: role, what: 'of a member', ask: ({ guests }, _, column) => ({ params: { userId: guests[column]?.id ?? newcomer }, body: { role: 'admin' } }), group: [200, notOwner, notOwner, hidden, hidden], ...fixed },
  { route: role, what: 'of who is not in it', ask: () => ({ params: { userId: newcomer }, body: { role: 'member' } }), group: ['user_not_found', notOwner, notOwner, hidden, hidden], ...fixed },
  { route: role, what: 'of the owner', ask: ({ people }) => ({ params: { userId: people.owner?.id }, body: { role: 'admin' } }), group: ['last_owner', notOwner, notOwner, hidden, hidden], ...fixed },
  { route: role, what: 'of oneself', ask: (_, { id }) => ({ params: { userId: id }, body: { role: 'owner' } }), group: [200, notOwner, notOwner, hidden, hidden], ...fixed },
  { route: 'PATCH /chats/:chatId', ask: body({ name: 'Lunch', posting: 'admins' }), group: [200, 200, refused, hidden, hidden], ...fixed },
  { route: 'DELETE /chats/:chatId', group: [204, notOwner, notOwner, hidden, hidden], ...fixed },
];

/** About no chat that is there already, as all that is about operation and signing in. */
const aboutNoChat = ['PATCH /users/me', 'GET /users', 'GET /users/:userId', 'GET /presence', 'POST /chats'];
const tagsOfNoChat = ['operation', 'auth'];

/** Which routes are open to whom, over whichever adapters; the caller opens them and closes what it opened. */
export function rightsSuite(name: string, open: () => Promise<ChatApi>): void {
  describe(`rights over ${name}`, () => {
    let api: ChatApi;
    const scenes = new Map<Row, Record<Kind, Scene>>();
    beforeAll(async () => {
      api = await open();
      await api.database.query(`INSERT INTO users (id, display_name) VALUES ($1::uuid, 'Newcomer')`, [
        newcomer,
      ]);
      const scenesOf = async (row: Row) => {
        const [group, direct] = await Promise.all([newScene(true), newScene(false)]);
        scenes.set(row, { group, direct });
      };
      await Promise.all(rows.map(scenesOf));
    }, 60_000);
    afterAll(() => api.close());

    async function newScene(isGroup: boolean): Promise<Scene> {
      const roles = columns[isGroup ? 'group' : 'direct'];
      const users = await api.newUsers(roles.length * 2);
      const people: Scene['people'] = Object.fromEntries(roles.map((role, at) => [role, users[at]!]));
      const { owner, admin, removed, stranger, ...others } = people;
      const guests = isGroup ? users.slice(roles.length) : [];
      const inIt = [admin, removed, ...Object.values(others), ...guests].filter((user) => user !== undefined);
      const { body: chat } = await api.call(owner, 'POST', '/chats', {
        participantUserIds: inIt.map(({ id }) => id),
        isGroup,
      });
      const speakers = Object.entries(people).filter(([, user]) => user !== stranger);
      const sends = speakers.map(([role, user]) => api.send(user, chat.id, `of the ${role}`));
      const ids = (await Promise.all(sends)).map(({ body: accepted }) => accepted.brokerMessageId);
      await api.stored(chat.id, speakers.length);
      if (admin)
        await api.database.query(
          `UPDATE chat_participants SET role = 'admin' WHERE chat_id = $1::uuid AND user_id = $2::uuid`,
          [chat.id, admin.id],
        );
      if (removed) await api.call(owner, 'DELETE', `/chats/${chat.id}/participants/${removed.id}`);
      return {
        chat,
        people,
        guests,
        said: Object.fromEntries(speakers.map(([role], at) => [role, ids[at]])),
      };
    }

    /** All of it but what was said. */
    const stateOf = async ({ chat }: Scene) => ({
      queued: api.sent.length,
      rows: await api.database.query(
        `SELECT c.last_event_sequence AS number, (
          SELECT json_agg(p ORDER BY p.user_id)::text FROM chat_participants p WHERE p.chat_id = c.id
        ) AS people FROM chats c WHERE c.id = $1::uuid`,
        [chat.id],
      ),
    });

    function ask(user: TestUser | undefined, { route }: Row, chatId: string, asked: Asked = {}) {
      const [method = '', path = ''] = route.split(' ');
      const params: Asked['params'] = { ...asked.params, chatId };
      const filled = path.replace(/:(\w+)/g, (_, name) => params[name] ?? newId());
      return api.call(user, method, filled + (asked.query ?? ''), asked.body);
    }

    test('every route is in the table, for groups and for direct chats, or about no chat', async () => {
      const { paths } = (await (await api.app.request('/openapi.json')).json()) as ApiDocument;
      const registered = Object.entries(paths).flatMap(([path, methods]) =>
        Object.entries(methods)
          .filter(([, { tags }]) => !tags.some((tag) => tagsOfNoChat.includes(tag)))
          .map(([method]) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
      );
      for (const kind of ['group', 'direct'] as const) {
        const known = new Set(rows.filter((row) => row[kind]).map(({ route }) => route));
        expect([...known, ...aboutNoChat].toSorted()).toEqual(registered.toSorted());
      }
      // What is not in the document would not be found in it.
      expect(registeredChatRoutes.filter(({ operation }) => !operation)).toEqual([]);
    });

    for (const row of rows) {
      const title = row.what ? `${row.route} (${row.what})` : row.route;
      for (const kind of ['group', 'direct'] as const) {
        const outcomes = row[kind] ?? [];
        // Who may least comes first: what the others do to the chat is done after it.
        const cells = columns[kind].flatMap((role, at) =>
          outcomes[at] === undefined ? [] : [[role, outcomes[at], at] as const],
        );
        test.each(cells.toReversed())(`${kind}: ${title} by the %s: %s`, async (role, outcome, column) => {
          const scene = scenes.get(row)![kind];
          const me = scene.people[role]!;
          const asked = row.ask?.(scene, me, column);
          const before = await stateOf(scene);
          const answer = await ask(me, row, scene.chat.id, asked);
          if (outcome === 'listed' || outcome === 'not listed') {
            const ids = answer.body.chatIds ?? answer.body.data.map(({ id }: Chat) => id);
            expect([answer.status, ids]).toEqual([200, outcome === 'listed' ? [scene.chat.id] : []]);
          } else if (typeof outcome === 'number') {
            expect(answer.status).toBe(outcome);
          } else {
            const { status, body: problem } = answer;
            expect([status, problem?.code]).toEqual([errorTable[outcome].status, outcome]);
            expect(await stateOf(scene)).toEqual(before);
            if (outcome !== hidden) return;
            // They can't tell it from none.
            const { requestId: _, ...words } = (await ask(me, row, newId(), asked)).body;
            expect(problem).toMatchObject(words);
          }
        });
      }
      test(`${title} by nobody: token_missing`, async () => {
        const scene = scenes.get(row)!.group;
        const asked = row.ask?.(scene, scene.people.owner!, 0);
        const { status, body: problem } = await ask(undefined, row, scene.chat.id, asked);
        expect([status, problem.code]).toEqual([401, 'token_missing']);
      });
    }
  });
}
