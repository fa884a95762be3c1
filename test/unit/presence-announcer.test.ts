import { afterEach, expect, spyOn, test } from 'bun:test';
import { createEmbeddedPresence } from '../../src/adapters/embedded/presence.ts';
import type { Database } from '../../src/db/database.ts';
import { createPresenceAnnouncer } from '../../src/gateway/presence-announcer.ts';
import { createLog } from '../../src/shared/log.ts';
import { eventually } from '../support/eventually.ts';

const log = createLog({ logLevel: 'silent' }, 'test');
const times = { offlineAfterMs: 20, gatherMs: 5, lookEveryMs: 5 };
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** Each user has one direct chat, and each statement fails while it is said to. */
function world() {
  const state = {
    silent: false,
    failing: (_isWrite: boolean) => false,
    /** Users of each statement that found direct chats, or was to write. */
    asked: [] as string[][],
    written: [] as string[][],
    told: [] as [string, boolean][],
  };
  const query = async (text: string, parameters: unknown[] = []) => {
    const isWrite = text.includes('UPDATE users');
    const userIds = parameters[0] as string[];
    (isWrite ? state.written : state.asked).push(userIds);
    if (state.failing(isWrite)) throw new Error('the database is away');
    return userIds.map((userId) => ({ userId, chatId: `chat of ${userId}`, lastSeenAt: null }));
  };
  const embedded = createEmbeddedPresence();
  const announcer = createPresenceAnnouncer({
    database: { query } as unknown as Database,
    presence: {
      ...embedded,
      online: async (userIds) => (state.silent ? new Set() : embedded.online(userIds)),
      offline: async (userIds) => (state.silent ? undefined : embedded.offline(userIds)),
    },
    announce: async (notifications) => {
      for (const { body } of notifications) {
        const { userId, online } = JSON.parse(body);
        state.told.push([userId, online]);
      }
    },
    earliestSocketOf: () => 'socket',
    log,
    times,
  });
  stops.push(() => announcer.stop());
  return { ...embedded, state, announcer };
}

test('while nothing says who is online nobody is said to have gone; afterwards those are who have', async () => {
  const { announcer, update, state } = world();
  await update('ada', new Set(['at another gateway']));
  state.silent = true;
  for (const userId of ['ada', 'bob', 'eve']) announcer.went(userId);
  await Bun.sleep(4 * times.offlineAfterMs);
  expect(state.told).toEqual([]);
  announcer.came('eve');
  state.silent = false;
  await eventually('it is told', () => state.told.length > 0);
  await Bun.sleep(2 * times.offlineAfterMs);
  expect(state.told).toEqual([['bob', false]]);
});

test('where direct chats cannot be read, those of later statements are told all the same', async () => {
  const { announcer, state } = world();
  state.failing = (isWrite) => !isWrite && state.asked.length === 1;
  const users = Array.from({ length: 120 }, (_, at) => `user ${at}`);
  for (const userId of users) announcer.came(userId);
  // Of the first look at those who have been here long enough: fewer where the coming took longer.
  const others = () => users.filter((userId) => !state.asked[0]?.includes(userId));
  await eventually('the others are told', () => state.told.length >= others().length, 2_000);
  expect(state.told.map(([userId]) => userId)).toEqual(others());
  expect(state.asked[0]?.length).toBeLessThanOrEqual(50);
});

test('an end that cannot be written for a minute is forgotten', async () => {
  const { announcer, state } = world();
  state.failing = (isWrite) => isWrite;
  announcer.went('ada');
  await eventually('it is tried', () => state.written.length > 0);
  const now = performance.now.bind(performance);
  const later = spyOn(performance, 'now').mockImplementation(() => now() + 61_000);
  try {
    state.written.length = 0;
    announcer.went('bob');
    await eventually('it is tried again', () => state.written.length > 2);
    expect(state.written.at(-1)).toEqual(['bob']);
  } finally {
    later.mockRestore();
  }
});
