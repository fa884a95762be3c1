import { expect, test } from 'bun:test';
import type { Member } from '../../src/gateway/member.ts';
import { createOwnMemberships } from '../../src/gateway/own-memberships.ts';
import { createUsers } from '../../src/gateway/users.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';

const log = createLog({ logLevel: 'silent' }, 'test');

test('what is announced while it is being read is newer than what was read, for a socket that connects, too', async () => {
  const users = createUsers({
    metrics: createMetrics(),
    subscriber: {
      ...{ subscribe: async () => {}, unsubscribe: async () => {}, ready: () => true },
      ...{ onNotifications() {}, onReconnect() {} },
    },
    presence: { changed() {} } as never,
    announcer: { came() {}, went() {}, toggled() {}, stop: async () => {} },
    log,
  });
  const ownMemberships = createOwnMemberships({ database: {} as never, users, log });
  const hidesAfter = async (announced: boolean) => {
    const userId = crypto.randomUUID();
    const member = { userId, live: false, hides: false, chats: new Set() } as unknown as Member;
    await users.add(member);
    const before = ownMemberships.known(userId);
    const read = { version: 1, readReceipts: true, showPresence: announced, memberships: [] };
    if (announced) {
      users.setShown(userId, { readReceipts: true, showPresence: false });
      users.local(userId)!.announced += 1;
    }
    member.live = true;
    ownMemberships.goesLive(member, read, before);
    return member.hides;
  };
  expect([await hidesAfter(true), await hidesAfter(false)]).toEqual([true, true]);
});
