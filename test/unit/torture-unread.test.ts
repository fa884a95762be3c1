import { expect, test } from 'bun:test';
import { createUnreadChats } from '../../torture/unread.ts';
import { membershipOf } from './torture-history.ts';

test('a device does not take what it was answered itself for all that was read meanwhile', () => {
  const { take, since } = createUnreadChats('me');
  const told = (version: number) => {
    const state = { version, lastReadSequence: 1, lastSequence: 1, eventSequence: 4, unreadCount: 0 };
    take({ kind: 'membership', at: 0, membership: membershipOf(state) });
    return since();
  };
  take({ kind: 'ready', at: 0, membershipVersion: 3 });
  expect([told(4), told(4), told(2)]).toEqual([4, 4, 4]);
  // 5 was read on another device, and is told at the next connect.
  expect(told(6)).toBe(4);
  expect([told(5), told(6)]).toEqual([5, 6]);
  // The database was restored.
  take({ kind: 'ready', at: 0, membershipVersion: 2 });
  expect([since(), told(3)]).toEqual([2, 3]);
});
