import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Chat, ChatChange, Participant } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import type { ChatApi, TestUser } from '../support/chat-api.ts';
import { eventually } from '../support/eventually.ts';

/** What the api says of who types and who is online, over whichever adapters; the caller closes what it opened. */
export function typingPresenceSuite(name: string, open: () => Promise<ChatApi>): void {
  describe(`typing and presence, over ${name}`, () => {
    let api: ChatApi;
    let [ann, bob, cy]: TestUser[] = [];
    beforeAll(async () => {
      api = await open();
      [ann, bob, cy] = (await api.newUsers(3)) as [TestUser, TestUser, TestUser];
    }, 60_000);
    afterAll(() => api.close());

    const type = async (user: TestUser | undefined, chatId: string, typing: unknown = true) =>
      (await api.call(user, 'PUT', `/chats/${chatId}/typing`, { typing })).status;
    /** Who was told to type, or not, of those chats. */
    const told = () =>
      api.announced
        .splice(0)
        .flatMap(({ head, body }) =>
          'event' in head && head.event === 'chat.typing' ? JSON.parse(body) : [],
        )
        .map(({ userId, chatId, typing }) => [userId, chatId, typing]);

    test('the others are told, once in 3 s, and of an end each time', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      api.announced.length = 0;
      const answer = await api.call(ann!, 'PUT', `/chats/${id}/typing`, { typing: true });
      expect([answer.status, answer.body]).toEqual([204, undefined]);
      expect(api.announced.splice(0)).toEqual([
        {
          topic: `chat:${id}`,
          head: { version: 1, kind: 'passing', event: 'chat.typing', actorId: ann!.id },
          body: JSON.stringify({ chatId: id, userId: ann!.id, typing: true, expiresInMs: 6_000 }),
        },
      ]);
      await Promise.all(Array.from({ length: 10 }, () => type(ann!, id.toUpperCase())));
      expect(told()).toEqual([]);
      await type(ann!, id, false);
      await type(ann!, id, false);
      // Who begins again has not been told of yet; who goes on has.
      await type(ann!, id);
      await type(ann!, id);
      expect(told().map(([, , typing]) => typing)).toEqual([false, false, true]);
      // Of others, and elsewhere, it is new.
      const other = await api.newGroup(ann!, bob!);
      await type(bob!, id);
      await type(ann!, other.id);
      expect(told()).toEqual([
        [bob!.id, id, true],
        [ann!.id, other.id, true],
      ]);
    });

    test('an end that nothing came before keeps nobody from being told of what begins then', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      await type(ann!, id, false);
      await type(ann!, id);
      expect(told().map(([, , typing]) => typing)).toEqual([false, true]);
    });

    test('what is known is not asked of PostgreSQL, and nothing is put into the queue', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      await type(ann!, id);
      await eventually('the facts are known', async () => {
        api.asked.length = 0;
        await type(ann!, id, false);
        return api.asked.length === 0;
      });
      const sent = api.sent.length;
      for (let at = 0; at < 5; at += 1) expect(await type(ann!, id, at % 2 === 0)).toBe(204);
      expect([api.asked, api.sent.length - sent]).toEqual([[], 0]);
    });

    test('who takes no part may not, from the moment of a removal on', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      expect(await type(cy!, id)).toBe(404);
      expect(await type(cy!, newId())).toBe(404);
      expect(await type(undefined, id)).toBe(401);
      expect(await type(bob!, id)).toBe(204);
      expect(await type(bob!, id, false)).toBe(204);
      await api.call(ann!, 'DELETE', `/chats/${id}/participants/${bob!.id}`);
      told();
      expect([await type(bob!, id), await type(bob!, id, false)]).toEqual([404, 404]);
      expect(told()).toEqual([]);
    });

    test('where admins post, the others may not type', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      expect((await api.call(ann!, 'PATCH', `/chats/${id}`, { posting: 'admins' })).status).toBe(200);
      told();
      expect([await type(bob!, id, false), await type(ann!, id)]).toEqual([403, 204]);
      expect(told()).toEqual([[ann!.id, id, true]]);
    });

    test('in a chat of more than CHAT_LIVE_MAX nobody is told, and PostgreSQL is asked once', async () => {
      const others = await api.newUsers(100);
      const { id } = await api.newGroup(ann!, ...others.slice(0, 99));
      await type(ann!, id);
      expect(told()).toEqual([[ann!.id, id, true]]);
      await type(others[0]!, id);
      told();
      await api.call(ann!, 'POST', `/chats/${id}/participants`, { userIds: [others[99]!.id] });
      for (const user of [others[1]!, others[2]!, others[99]!]) expect(await type(user, id)).toBe(204);
      expect([await type(ann!, id, false), told()]).toEqual([204, []]);
      await eventually('the facts are known', async () => {
        api.asked.length = 0;
        await type(ann!, id);
        return api.asked.length === 0;
      });
      expect(told()).toEqual([]);
    });

    test('bad input', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      for (const typing of ['true', 1, null, [], {}]) expect(await type(ann!, id, typing)).toBe(422);
      const ask = async (body: unknown, path = `/chats/${id}/typing`) =>
        (await api.call(ann!, 'PUT', path, body)).status;
      expect(await ask({ typing: true, since: 1 })).toBe(422);
      expect(await ask({})).toBe(422);
      expect(await ask([true])).toBe(422);
      expect(await ask('{"typing": tru')).toBe(400);
      expect(await ask({ typing: true }, '/chats/nobody/typing')).toBe(422);
      expect(await ask({ typing: true }, `/chats/${id}/typing?a=b`)).toBe(422);
      expect((await api.call(ann!, 'GET', `/chats/${id}/typing`)).status).toBe(405);
      expect(told()).toEqual([]);

      const presence = async (query: string) => (await api.call(ann!, 'GET', `/presence${query}`)).status;
      for (const query of [
        '',
        '?userIds=',
        '?userIds=nobody',
        `?userIds=${bob!.id},`,
        `?userIds=${bob!.id}&a=b`,
      ])
        expect(await presence(query)).toBe(422);
      expect(await presence(`?userIds=${bob!.id}&userIds=${bob!.id}`)).toBe(422);
      const many = (count: number) => `?userIds=${Array.from({ length: count }, newId).join(',')}`;
      expect([await presence(many(100)), await presence(many(101))]).toEqual([200, 422]);
      expect((await api.call(undefined, 'GET', `/presence?userIds=${bob!.id}`)).status).toBe(401);
      for (const showPresence of ['false', 0, null])
        expect((await api.call(ann!, 'PATCH', '/users/me', { showPresence })).status).toBe(422);
    });

    const online = (...users: TestUser[]) =>
      Promise.all(users.map(({ id }) => api.presence.update(id, new Set([`socket of ${id}`]))));
    const presenceOf = async (viewer: TestUser, ...users: { id: string }[]) =>
      (await api.call(viewer, 'GET', `/presence?userIds=${users.map(({ id }) => id).join(',')}`)).body.data;
    const show = async (user: TestUser, showPresence: boolean) =>
      (await api.call(user, 'PATCH', '/users/me', { showPresence })).body;

    test('presence of those who share a chat, in the order in which they are named', async () => {
      const [eve, fay, gus, hal, ivy] = (await api.newUsers(5)) as TestUser[];
      await api.call(eve!, 'POST', '/chats', { participantUserIds: [fay!.id] });
      await api.newGroup(hal!, eve!, gus!, ivy!);
      const { id } = await api.newGroup(eve!, ann!);
      await online(fay!, gus!, ann!, bob!);
      await api.database.query(`UPDATE users SET last_seen_at = '2026-02-14T12:00:00Z' WHERE id = $1::uuid`, [
        hal!.id,
      ]);
      const wanted = [bob!, hal!, { id: newId() }, gus!, { id: fay!.id.toUpperCase() }, gus!, eve!, ann!];
      const known = [
        { userId: hal!.id, online: false, lastSeenAt: '2026-02-14T12:00:00.000Z' },
        { userId: gus!.id, online: true, lastSeenAt: null },
        { userId: fay!.id, online: true, lastSeenAt: null },
        { userId: eve!.id, online: false, lastSeenAt: null },
      ];
      expect(await presenceOf(eve!, ...wanted)).toEqual([
        ...known,
        { userId: ann!.id, online: true, lastSeenAt: null },
      ]);
      await api.call(eve!, 'DELETE', `/chats/${id}/participants/${ann!.id}`);
      expect(await presenceOf(eve!, ...wanted)).toEqual(known);
      expect(await presenceOf(ann!, eve!)).toEqual([]);
    });

    test('who shows it to nobody is offline to all, and all are to them, wherever it is said', async () => {
      const [eve, fay, gus, new1, new2] = (await api.newUsers(5)) as TestUser[];
      const { id } = await api.newGroup(eve!, fay!, gus!);
      await online(eve!, fay!, gus!, new1!, new2!);
      await api.database.query('UPDATE users SET last_seen_at = now() WHERE id = ANY ($1::uuid[])', [
        [eve!.id, fay!.id, gus!.id],
      ]);
      const shown = await show(fay!, false);
      expect(shown).toEqual({ ...shown, id: fay!.id, showPresence: false });
      expect((await api.call(eve!, 'GET', `/users/${fay!.id}`)).body.showPresence).toBeUndefined();
      expect(api.announced.at(-1)).toMatchObject({
        topic: `user:${fay!.id}`,
        body: JSON.stringify({ user: shown }),
      });
      await show(new2!, false);

      const seen = (given: Participant[]) => given.filter((one) => one.online).map(({ userId }) => userId);
      const everywhere = async (viewer: TestUser) => {
        const get = async (path: string) => (await api.call(viewer, 'GET', path)).body;
        const list: Chat[] = (await get('/chats')).data;
        return [
          seen((await get(`/chats/${id}`)).participants),
          seen(list.find((chat) => chat.id === id)!.participants),
          seen((await get(`/chats/${id}/participants`)).data),
          (await presenceOf(viewer, eve!, fay!, gus!))
            .filter((one: { online: boolean; lastSeenAt: unknown }) => one.online && one.lastSeenAt !== null)
            .map(({ userId }: { userId: string }) => userId),
        ];
      };
      const others = [eve!.id, gus!.id];
      expect(await everywhere(eve!)).toEqual([others, others, others, others]);
      expect(await everywhere(fay!)).toEqual([[], [], [], []]);
      expect(await presenceOf(eve!, fay!)).toEqual([{ userId: fay!.id, online: false, lastSeenAt: null }]);
      expect(await presenceOf(fay!, eve!)).toEqual([{ userId: eve!.id, online: false, lastSeenAt: null }]);

      const added = { userIds: [new1!.id, new2!.id] };
      expect(seen((await api.call(eve!, 'POST', `/chats/${id}/participants`, added)).body.data)).toEqual([
        new1!.id,
      ]);
      const changed = async (viewer: TestUser) => {
        const { data } = (await api.call(viewer, 'GET', `/chats/${id}/changes?after=0`)).body;
        return (data as ChatChange[]).flatMap(({ event, payload }) =>
          event === 'chat.participant.added' ? seen(payload.participants ?? [payload.participant]) : [],
        );
      };
      expect((await changed(gus!)).toSorted()).toEqual([eve!.id, gus!.id, new1!.id].toSorted());
      expect(await changed(fay!)).toEqual([]);
      await show(eve!, false);
      const again = await api.call(eve!, 'POST', `/chats/${id}/participants`, added);
      expect(seen(again.body.data)).toEqual([]);

      expect((await show(fay!, true)).showPresence).toBeUndefined();
      const now = [fay!.id, gus!.id];
      expect(await everywhere(fay!)).toEqual([...Array(3).fill([...now, new1!.id]), now]);
    });

    test('with no socket in the store nobody is online, and a chat that is not there is no secret', async () => {
      const [eve, fay] = (await api.newUsers(2)) as [TestUser, TestUser];
      await api.newGroup(eve, fay);
      expect(await presenceOf(eve, fay)).toEqual([{ userId: fay.id, online: false, lastSeenAt: null }]);
      expect(await presenceOf(cy!, fay)).toEqual([]);
    });
  });
}
