import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Chat, Participant, User } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { changesOf } from '../support/changes-of.ts';
import type { ChatApi, TestUser } from '../support/chat-api.ts';

/** What people say of themselves, and who is told, over whichever adapters; the caller opens them and closes what it opened. */
export function chatPeopleSuite(name: string, open: () => Promise<ChatApi>): void {
  describe(`people over ${name}`, () => {
    let api: ChatApi;
    beforeAll(async () => {
      api = await open();
    }, 60_000);
    afterAll(() => api.close());

    const patchMe = (user: TestUser, body: unknown) => api.call(user, 'PATCH', '/users/me', body);
    const find = async (user: TestUser, ...ids: string[]): Promise<User[]> =>
      (await api.call(user, 'GET', `/users?userIds=${ids.join(',')}`)).body.data;
    const idsOf = (users: readonly User[]) => users.map(({ id }) => id);

    test('200: those who share a chat with you, or did, each once, as asked for, and yourself', async () => {
      const [ann, bob, left, gone, stranger] = await api.newUsers(5);
      const chat = await api.newGroup(ann!, bob!, left!);
      await api.call(left!, 'DELETE', `/chats/${chat.id}/participants/${left!.id}`);
      const other = await api.newGroup(ann!, gone!);
      await api.call(ann!, 'DELETE', `/chats/${other.id}`);
      await api.newGroup(stranger!, bob!);
      const ids = [left!, stranger!, gone!, bob!, ann!, left!].map(({ id }) => id);
      const found = await find(ann!, ...ids, newId(), bob!.id.toUpperCase());
      expect(idsOf(found)).toEqual([left!.id, gone!.id, bob!.id, ann!.id]);
      expect(found[0]).toEqual({
        id: left!.id,
        displayName: expect.any(String),
        createdAt: expect.any(String),
      });
      expect(idsOf(await find(left!, ...ids))).toEqual([left!.id, bob!.id, ann!.id]);
      expect(idsOf(await find(stranger!, ann!.id))).toEqual([]);
    });

    test('422: no ids, none that are ids, more than 100, an email beside them', async () => {
      const ann = await api.newUser();
      const ids = (count: number) => Array.from({ length: count }, newId).join(',');
      for (const query of [
        ...['', '?userIds=', '?userIds=x', `?userIds=${newId()},`, `?userIds=${ids(101)}`],
        ...[`?userIds=${newId()}&email=a@example.com`, `?userIds=${newId()}&userIds=${newId()}`, '?emails=x'],
      ]) {
        const { status, body } = await api.call(ann, 'GET', `/users${query}`);
        expect([query, status, body.code]).toEqual([query, 422, 'validation_failed']);
      }
      expect((await api.call(ann, 'GET', `/users?userIds=${ids(100)}`)).body).toEqual({ data: [] });
      expect((await api.call(ann, 'GET', '/users?email=nobody@example.com')).body).toEqual({ data: [] });
    });

    test('200: what one says of oneself is shown wherever one is, and told to those of whom there are few', async () => {
      const [ann, bob, cy] = await api.newUsers(3);
      const many = await api.newUsers(100);
      const group = await api.newGroup(bob!, ann!);
      const big = await api.newGroup(bob!, ann!, ...many);
      const left = await api.newGroup(bob!, ann!);
      await api.call(ann!, 'DELETE', `/chats/${left.id}/participants/${ann!.id}`);
      const { body: direct } = await api.call(ann!, 'POST', '/chats', { participantUserIds: [cy!.id] });
      await api.database.query('UPDATE users SET email = $2 WHERE id = $1::uuid', [
        ann!.id,
        `${ann!.id}@example.com`,
      ]);
      api.announced.length = 0;
      const seen = {
        displayName: 'Ann',
        avatarUrl: 'https://example.com/a.png',
        metadata: { z: 1, a: '{}' },
      };
      const { status, body } = await patchMe(ann!, { ...seen, displayName: ' Ann ' });
      expect([status, body]).toEqual([
        200,
        { id: ann!.id, ...seen, createdAt: expect.any(String), email: `${ann!.id}@example.com` },
      ]);
      expect(JSON.stringify(body.metadata)).toBe(JSON.stringify(seen.metadata));
      const { email: _, ...shown } = body;
      const head = { version: 1, kind: 'passing', event: 'user.updated' } as const;
      const told = api.announced.splice(0).map(({ body, ...one }) => ({ ...one, body: JSON.parse(body) }));
      expect(told[0]).toEqual({ topic: `user:${ann!.id}`, head, body: { user: body } });
      expect(told.slice(1).toSorted((a, b) => a.topic.localeCompare(b.topic))).toEqual(
        [group, direct]
          .map(({ id }) => ({
            topic: `chat:${id}` as const,
            head: { ...head, actorId: ann!.id },
            body: { user: shown },
          }))
          .toSorted((a, b) => a.topic.localeCompare(b.topic)),
      );

      expect((await api.call(bob!, 'GET', `/users/${ann!.id}`)).body).toEqual(shown);
      const isAnn = ({ userId }: Participant) => userId === ann!.id;
      const participant = expect.objectContaining({ displayName: 'Ann', avatarUrl: seen.avatarUrl });
      const chat: Chat = (await api.call(bob!, 'GET', `/chats/${group.id}`)).body;
      expect(chat.participants.find(isAnn)).toEqual(participant);
      expect('avatarUrl' in chat.participants[0]!).toBe(false);
      const list = (await api.call(bob!, 'GET', `/chats/${big.id}/participants`)).body.data;
      expect(list.find(isAnn)).toEqual(participant);
      const added = await api.call(bob!, 'POST', `/chats/${group.id}/participants`, { userIds: [ann!.id] });
      expect(added.body.data).toEqual([participant]);
      expect((await changesOf(api, bob!, group.id, 0)).at(-1)?.payload.participant).toEqual(participant);

      expect((await patchMe(ann!, { avatarUrl: null, metadata: null })).body).toEqual({
        ...{ id: ann!.id, displayName: 'Ann', createdAt: body.createdAt, email: body.email },
      });
      api.announced.length = 0;
      await patchMe(ann!, { readReceipts: false });
      expect(api.announced.map(({ topic }) => topic)).toEqual([`user:${ann!.id}`]);
      expect((await patchMe(ann!, {})).body.displayName).toBe('Ann');
    });

    test('422: what nobody is called, and what is no picture', async () => {
      const ann = await api.newUser('As before');
      const rows: [object, string][] = [
        ...['', ' ', null, 7, 'a\u200eb', 'x'.repeat(101)].map((one): [object, string] => [
          { displayName: one },
          'displayName',
        ]),
        [{ avatarUrl: 'javascript:alert(1)' }, 'avatarUrl'],
        [{ metadata: [] }, 'metadata'],
        [{ email: 'a@example.com' }, 'email'],
        [{ readReceipts: null }, 'readReceipts'],
      ];
      for (const [body, field] of rows) {
        const answer = await patchMe(ann, body);
        expect([body, answer.status, answer.body.errors?.[0]?.path]).toEqual([body, 422, field]);
      }
      expect((await api.call(ann, 'GET', '/auth/me')).body.displayName).toBe('As before');
    });
  });
}
