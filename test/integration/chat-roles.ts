import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Chat, ParticipantRole } from '../../src/shared/contract.ts';
import { changesOf } from '../support/changes-of.ts';
import type { Answer, ChatApi, TestUser } from '../support/chat-api.ts';

type People = Record<'owner' | 'admin' | 'member' | 'another', TestUser>;

interface Scene {
  chat: Chat;
  people: People;
}

/** Owners, admins and members, over whichever adapters; the caller opens them and closes what it opened. */
export function chatRolesSuite(name: string, open: () => Promise<ChatApi>): void {
  describe(`roles over ${name}`, () => {
    let api: ChatApi;
    beforeAll(async () => {
      api = await open();
    }, 60_000);
    afterAll(() => api.close());

    const setRole = (actor: TestUser, chat: Chat, user: TestUser, role: string) =>
      api.call(actor, 'PATCH', `/chats/${chat.id}/participants/${user.id}`, { role });
    const remove = (actor: TestUser, chat: Chat, user: TestUser) =>
      api.call(actor, 'DELETE', `/chats/${chat.id}/participants/${user.id}`);
    const said = ({ status, body }: Answer) => (status < 400 ? status : `${status} ${body.code}`);

    async function newScene(): Promise<Scene> {
      const [owner, admin, member, another] = (await api.newUsers(4)) as [
        ...[TestUser, TestUser, TestUser, TestUser],
      ];
      const chat = await api.newGroup(owner, member, another, admin);
      expect(said(await setRole(owner, chat, admin, 'admin'))).toBe(200);
      return { chat, people: { owner, admin, member, another } };
    }
    const rolesOf = async ({ chat, people }: Scene): Promise<Partial<Record<string, string>>> => {
      const rows = await api.database.query<{ id: string; role: ParticipantRole }>(
        'SELECT user_id AS id, role FROM chat_participants WHERE chat_id = $1::uuid AND left_at IS NULL',
        [chat.id],
      );
      const who = new Map(Object.entries(people).map(([name, { id }]) => [id, name]));
      return Object.fromEntries(rows.map(({ id, role }) => [who.get(id), role]));
    };

    test('200: a role is changed by an owner, everybody is told who the participant is now; the same again changes nothing', async () => {
      const { chat, people } = await newScene();
      const { eventSequence } = (await api.call(people.owner, 'GET', `/chats/${chat.id}`)).body;
      api.announced.length = 0;
      const { status, body } = await setRole(people.owner, chat, people.member, 'admin');
      const participant = chat.participants.find(({ userId }) => userId === people.member.id);
      expect([status, body]).toEqual([200, { ...participant, role: 'admin' }]);
      expect(api.announced.splice(0).map(({ head, body }) => [head, body])).toEqual([
        [expect.objectContaining({ event: 'chat.participant.added', eventSequence: eventSequence + 1 }), ''],
      ]);
      expect(await changesOf(api, people.another, chat.id, eventSequence)).toEqual([
        {
          event: 'chat.participant.added',
          payload: { chatId: chat.id, participant: body, eventSequence: eventSequence + 1 },
        },
      ]);
      expect((await setRole(people.owner, chat, people.member, 'admin')).body).toEqual(body);
      expect(api.announced).toEqual([]);
      expect((await api.call(people.owner, 'GET', `/chats/${chat.id}`)).body.eventSequence).toBe(
        eventSequence + 1,
      );
    });

    test('an admin is made and unmade by owners alone, whatever another admin tries', async () => {
      const { chat, people } = await newScene();
      await setRole(people.owner, chat, people.another, 'admin');
      const before = await rolesOf({ chat, people });
      for (const answer of [
        await remove(people.admin, chat, people.another),
        await setRole(people.admin, chat, people.another, 'member'),
        await setRole(people.admin, chat, people.admin, 'owner'),
        await setRole(people.admin, chat, people.admin, 'member'),
      ]) {
        expect(said(answer)).toBe('403 not_owner');
      }
      expect(await rolesOf({ chat, people })).toEqual(before);
      expect(said(await setRole(people.owner, chat, people.another, 'member'))).toBe(200);
      expect(said(await setRole(people.owner, chat, people.admin, 'owner'))).toBe(200);
      // Owners change, and remove, each other.
      expect(said(await setRole(people.admin, chat, people.owner, 'member'))).toBe(200);
      expect(await rolesOf({ chat, people })).toEqual({
        ...before,
        owner: 'member',
        admin: 'owner',
        another: 'member',
      });
      expect(said(await remove(people.admin, chat, people.owner))).toBe(204);
    });

    test('leaving passes the chat to the longest admin, without one to the longest member, and not where an owner stays', async () => {
      const { chat, people } = await newScene();
      expect(said(await remove(people.owner, chat, people.owner))).toBe(204);
      expect(await rolesOf({ chat, people })).toEqual({
        admin: 'owner',
        member: 'member',
        another: 'member',
      });
      await setRole(people.admin, chat, people.another, 'owner');
      expect(said(await remove(people.admin, chat, people.admin))).toBe(204);
      expect(await rolesOf({ chat, people })).toEqual({ member: 'member', another: 'owner' });
      expect(said(await remove(people.another, chat, people.another))).toBe(204);
      expect(await rolesOf({ chat, people })).toEqual({ member: 'owner' });
    });

    test('it passes to who is not deactivated, if there is anybody', async () => {
      const { chat, people } = await newScene();
      const deactivate = (...users: TestUser[]) =>
        api.database.query('UPDATE users SET deactivated_at = now() WHERE id = ANY ($1::uuid[])', [
          users.map(({ id }) => id),
        ]);
      await deactivate(people.admin, people.member);
      expect(said(await remove(people.owner, chat, people.owner))).toBe(204);
      expect(await rolesOf({ chat, people })).toEqual({ admin: 'admin', member: 'member', another: 'owner' });
      expect(said(await remove(people.another, chat, people.another))).toBe(204);
      expect(await rolesOf({ chat, people })).toEqual({ admin: 'owner', member: 'member' });
    });

    test('two owners who demote each other, or both step down, at once: one is left', async () => {
      const scenes = await Promise.all(Array.from({ length: 6 }, newScene));
      await Promise.all(
        scenes.map(async ({ chat, people }, at) => {
          const [one, two] = [people.owner, people.admin];
          await setRole(one, chat, two, 'owner');
          const [ofOne, ofTwo] = at % 2 ? [two, one] : [one, two];
          const answers = await Promise.all([
            setRole(one, chat, ofOne, 'member'),
            setRole(two, chat, ofTwo, 'admin'),
          ]);
          expect(answers.map(said).toSorted()).toEqual(
            [200, at % 2 ? '403 not_owner' : '409 last_owner'].toSorted(),
          );
          const roles = Object.values(await rolesOf({ chat, people }));
          expect(roles.filter((role) => role === 'owner')).toHaveLength(1);
        }),
      );
    });

    test('409 chat_is_direct, 422 for no role', async () => {
      const { chat, people } = await newScene();
      const { body: direct } = await api.call(people.owner, 'POST', '/chats', {
        participantUserIds: [people.member.id],
      });
      expect(said(await setRole(people.owner, direct, people.member, 'admin'))).toBe('409 chat_is_direct');
      for (const body of [{}, { role: 'moderator' }, { role: null }, { role: 'admin', name: 'x' }, []]) {
        const { status } = await api.call(
          people.owner,
          'PATCH',
          `/chats/${chat.id}/participants/${people.member.id}`,
          body,
        );
        expect([body, status]).toEqual([body, 422]);
      }
    });
  });
}
