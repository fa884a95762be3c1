import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { participantFact } from '../../src/chat/participant-fact.ts';
import { chunks } from '../../src/shared/chunks.ts';
import type { Chat, ErrorCode } from '../../src/shared/contract.ts';
import { errorTable } from '../../src/shared/errors.ts';
import { newId } from '../../src/shared/ids.ts';
import { type Answer, type ChatApi, serviceToken, type TestUser } from '../support/chat-api.ts';
import { registeredChatRoutes } from '../support/chat-routes.ts';
import type { ApiDocument } from '../support/documented.ts';
import {
  type Asked,
  columns,
  hidden,
  type Kind,
  kinds,
  newcomer,
  type Outcome,
  outcomesOf,
  type Row,
  rows,
  rowsOfAnybody,
  type Scene,
} from './rights-table.ts';

/** Who asks: by a token, and as whom. */
interface Caller {
  token?: string | undefined;
  actAs?: string;
}
const asUser = ({ id }: TestUser): Caller => ({ token: serviceToken, actAs: id });
const scenesAtOnce = 8;

const title = ({ route, what }: Row) => (what ? `${route} (${what})` : route);
const isList = (row: Row) => row.group?.[0] === 'listed';

/** Which routes are open to whom, over whichever adapters; the caller opens them, for `serviceToken`, and closes what it opened. */
export function rightsSuite(name: string, open: () => Promise<ChatApi>): void {
  describe(`rights over ${name}`, () => {
    let api: ChatApi;
    const scenes = { own: new Map<Row, Scenes>(), service: new Map<Row, Scenes>() };
    type Scenes = Partial<Record<Kind, Scene>>;
    let deleted: Scene;
    let shutOut: Scene;
    beforeAll(async () => {
      api = await open();
      await api.database.query(`INSERT INTO users (id, display_name) VALUES ($1::uuid, 'Newcomer')`, [
        newcomer,
      ]);
      const makeScenes = async (row: Row, byService: boolean) => {
        const wanted = kinds.filter((kind) => outcomesOf(row, kind, byService).length > 0);
        const made = wanted.map(async (kind) => [kind, await newScene(kind)] as const);
        scenes[byService ? 'service' : 'own'].set(row, Object.fromEntries(await Promise.all(made)));
      };
      // All at once, each would wait for the others' looks at what is stored.
      for (const some of chunks(rows, scenesAtOnce)) {
        await Promise.all(some.flatMap((row) => [makeScenes(row, false), makeScenes(row, true)]));
      }
      [deleted, shutOut] = await Promise.all([newScene('group'), newScene('group')]);
      await api.call(deleted.people.owner, 'DELETE', `/chats/${deleted.chat.id}`);
      await api.call({ token: serviceToken }, 'POST', `/users/${shutOut.people.owner?.id}/deactivate`);
    }, 60_000);
    afterAll(() => api.close());

    async function newScene(kind: Kind): Promise<Scene> {
      const isGroup = kind !== 'direct';
      const roles = isGroup ? [...columns.group, 'rival' as const] : columns.direct;
      const users = await api.newUsers(roles.length + (isGroup ? columns.group.length : 0));
      const people: Scene['people'] = Object.fromEntries(roles.map((role, at) => [role, users[at]!]));
      const { owner, admin, rival, removed, stranger, ...others } = people;
      const guests = users.slice(roles.length);
      const inIt = [admin, rival, removed, ...Object.values(others), ...guests];
      const { body: chat } = await api.call(owner, 'POST', '/chats', {
        participantUserIds: inIt.flatMap((user) => user?.id ?? []),
        isGroup,
      });
      const speakers = Object.entries(people).filter(([, user]) => user !== stranger);
      const sends = speakers.map(([role, user]) => api.send(user, chat.id, `of the ${role}`));
      const ids = (await Promise.all(sends)).map(({ body: accepted }) => accepted.brokerMessageId);
      await api.stored(chat.id, speakers.length);
      if (isGroup)
        await api.database.query(
          `UPDATE chat_participants SET role = 'admin' WHERE chat_id = $1::uuid AND user_id = ANY ($2::uuid[])`,
          [chat.id, [admin?.id, rival?.id]],
        );
      if (removed) await api.call(owner, 'DELETE', `/chats/${chat.id}/participants/${removed.id}`);
      if (kind === 'closed') {
        await api.call(owner, 'PATCH', `/chats/${chat.id}`, { posting: 'admins' });
        // As after the 30 s for which it is believed that all may post.
        await api.facts.revoke(inIt.flatMap((user) => (user ? participantFact(chat.id, user.id) : [])));
      }
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

    function ask({ token, actAs }: Caller, { route }: Row, chatId: string, asked: Asked = {}) {
      const [method = '', path = ''] = route.split(' ');
      const params: Asked['params'] = { ...asked.params, chatId };
      const filled = path.replace(/:(\w+)/g, (_, name) => encodeURIComponent(params[name] ?? newId()));
      const headers = actAs === undefined ? {} : { 'x-act-as': actAs };
      const who = token === undefined ? undefined : { token };
      return api.call(who, method, filled + (asked.query ?? ''), asked.body, headers);
    }

    /** As the table says it. */
    function outcomeOf({ status, body }: Answer, row: Row, { chat }: Scene): Outcome {
      if (body?.code) expect(status).toBe(errorTable[body.code as ErrorCode].status);
      if (body?.code || !isList(row)) return body?.code ?? status;
      const ids: string[] = body.chatIds ?? body.data.map(({ id }: Chat) => id);
      return ids.includes(chat.id) ? 'listed' : 'not listed';
    }

    /** What a chat answers whom it hides from is what none does. */
    async function expectHidden(answer: Answer, asking: Promise<Answer>): Promise<void> {
      const { requestId: _, ...words } = (await asking).body;
      expect(answer.body).toMatchObject(words);
    }

    test('every route is in the table, for groups and for direct chats, or about no chat', async () => {
      const { paths } = (await (await api.app.request('/openapi.json')).json()) as ApiDocument;
      const registered = Object.entries(paths).flatMap(([path, methods]) =>
        Object.entries(methods)
          .filter(([, { security, tags }]) => security.length > 0 && !tags.includes('service'))
          .map(([method]) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
      );
      for (const kind of ['group', 'direct'] as const) {
        const known = new Set(
          [...rows.filter((row) => row[kind]), ...rowsOfAnybody].map(({ route }) => route),
        );
        expect([...known].toSorted()).toEqual(registered.toSorted());
      }
      // What is not in the document would not be found in it.
      expect(registeredChatRoutes.filter(({ operation }) => !operation)).toEqual([]);
    });

    for (const row of rows) {
      for (const kind of kinds) {
        const outcomes = outcomesOf(row, kind);
        // Who may least comes first: what the others do to the chat is done after it.
        const cells = columns[kind].flatMap((role, at) =>
          outcomes[at] === undefined ? [] : [[role, outcomes[at], at] as const],
        );
        test.each(cells.toReversed())(
          `${kind}: ${title(row)} by the %s: %s`,
          async (role, outcome, column) => {
            const scene = scenes.own.get(row)![kind]!;
            const me = scene.people[role]!;
            const asked = row.ask?.(scene, me, column);
            const before = await stateOf(scene);
            const answer = await ask(me, row, scene.chat.id, asked);
            expect(outcomeOf(answer, row, scene)).toBe(outcome);
            if (answer.status >= 400) expect(await stateOf(scene)).toEqual(before);
            if (outcome === hidden) await expectHidden(answer, ask(me, row, newId(), asked));
          },
        );

        if (cells.length === 0) continue;
        test(`${kind}: ${title(row)} by the service, as each of them`, async () => {
          const scene = scenes.service.get(row)![kind]!;
          const expected = outcomesOf(row, kind, true);
          for (const [role, , column] of cells.toReversed()) {
            const me = scene.people[role]!;
            const answer = await ask(asUser(me), row, scene.chat.id, row.ask?.(scene, me, column));
            expect([role, outcomeOf(answer, row, scene)]).toEqual([role, expected[column]!]);
          }
        });
      }

      test(`a deleted chat: ${title(row)} by anybody`, async () => {
        // All are strangers to it.
        const [own, byService] = [false, true].map((service) => outcomesOf(row, 'group', service)[4]!);
        for (const [column, role] of columns.closed.entries()) {
          const me = deleted.people[role]!;
          const asked = row.ask?.(deleted, me, column);
          const answer = await ask(me, row, deleted.chat.id, asked);
          expect([role, outcomeOf(answer, row, deleted)]).toEqual([role, own!]);
          if (role !== 'owner') continue;
          if (own === hidden) await expectHidden(answer, ask(me, row, newId(), asked));
          const acted = await ask(asUser(me), row, deleted.chat.id, asked);
          expect(outcomeOf(acted, row, deleted)).toBe(byService!);
        }
      });
    }

    test.each(rowsOfAnybody.map((row) => [title(row), row] as const))('%s by anybody', async (_, row) => {
      const me = await api.newUser();
      const asked = row.ask?.(shutOut, me, 0);
      const acted = await ask(asUser(me), row, '', asked);
      const own = await ask(me, row, '', asked);
      expect([own, acted].map((answer) => outcomeOf(answer, row, shutOut))).toEqual([
        row.anybody,
        row.asSomebody ?? row.anybody,
      ]);
    });

    test.each([...rows, ...rowsOfAnybody].map((row) => [title(row), row] as const))(
      '%s by whom nobody lets in',
      async (_, row) => {
        const [{ owner, member }, asked] = [shutOut.people, row.ask?.(shutOut, shutOut.people.owner!, 0)];
        const callers: [string, Caller, Outcome][] = [
          ['nobody', {}, 'token_missing'],
          ['who is deactivated', owner!, 'session_revoked'],
          ['the service as who is deactivated', asUser(owner!), 'user_deactivated'],
          ['somebody as another', { ...member, actAs: owner!.id }, 'token_invalid'],
          ['the service as nobody', { token: serviceToken, actAs: 'nobody' }, 'token_invalid'],
          ['the service, and it does not say as whom', { token: serviceToken }, 'token_invalid'],
          [
            'the service as itself',
            { token: serviceToken, actAs: 'service' },
            row.itself ?? 'validation_failed',
          ],
        ];
        for (const [who, caller, expected] of callers) {
          const answer = await ask(caller, row, shutOut.chat.id, asked);
          expect([who, outcomeOf(answer, row, shutOut)]).toEqual([who, expected]);
        }
      },
    );
  });
}
