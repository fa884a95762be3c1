import { expect, test } from 'bun:test';
import type { Member } from '../../src/gateway/member.ts';
import { createReceipts } from '../../src/gateway/receipts.ts';
import type { LocalUser } from '../../src/gateway/users.ts';
import type { Membership } from '../../src/shared/contract.ts';
import { eventually } from '../support/eventually.ts';

test('in a room in which all read each member is written to once, with their own membership and who has read', async () => {
  const userIds = Array.from({ length: 20 }, (_, at) => `user ${at}`);
  const held = new Set<string>();
  /** What each is sent in one write. */
  const writes: string[][] = [];
  let write: string[] | undefined;
  const send = (what: string) => {
    if (write) write.push(what);
    else writes.push([what]);
  };
  const ws = {
    cork(work: () => void) {
      write = [];
      writes.push(write);
      work();
      write = undefined;
    },
  };
  const room = userIds.map(
    (userId) => ({ userId, ws, pass: () => send(`${userId} chat.read`) }) as unknown as Member,
  );
  const receipts = createReceipts({
    sequencer: { room: (chatId) => (chatId === 'chat' ? room : []) },
    users: {
      local: (userId) =>
        ({ readReceipts: true, held: held.has(userId) ? [] : undefined }) as unknown as LocalUser,
    },
    ownMemberships: {
      offer: (userId) => send(`${userId} at once`),
      hold: (userId) => held.add(userId),
      release: (userId) => held.delete(userId) && send(`${userId} chat.membership`),
    },
  });
  const read = (...readers: string[]) =>
    receipts.hear('chat', {
      chatId: 'chat',
      reads: readers.map((userId) => ({ userId, lastReadSequence: 1, readAt: '' })),
      memberships: readers.map(() => ({}) as Membership),
    });

  const [first = '', ...others] = userIds;
  read(first);
  expect(writes.splice(0)).toEqual([[`${first} at once`]]);
  read(...others.slice(0, 5));
  read(...others.slice(5));
  expect(writes).toEqual([]);
  await eventually('they are told', () => writes.length > 0);
  expect(writes).toEqual([
    [`${first} chat.read`],
    ...others.map((userId) => [`${userId} chat.membership`, `${userId} chat.read`]),
  ]);
  receipts.stop();
});

test('an older api, which tells the own memberships by themselves, is understood', () => {
  const receipts = createReceipts({
    sequencer: { room: () => [] },
    users: { local: () => undefined },
    ownMemberships: { offer() {}, hold() {}, release() {} },
  });
  const reads = [{ userId: 'ada', lastReadSequence: 1, readAt: '' }];
  expect(() => receipts.hear('chat', { chatId: 'chat', reads })).not.toThrow();
  receipts.stop();
});
