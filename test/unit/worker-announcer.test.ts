import { expect, test } from 'bun:test';
import pino from 'pino';
import type { Notification } from '../../src/shared/ports/notifications.ts';
import { createAnnouncer } from '../../src/worker/announcer.ts';
import { eventually } from '../support/eventually.ts';

const log = pino({ level: 'silent' });

const message = (chatId: string, eventSequence: number): Notification => ({
  topic: `chat:${chatId}`,
  head: { version: 1, kind: 'change', chatId, eventSequence, event: 'chat.message.new', actorId: 'sender' },
  body: String(eventSequence),
});
/** What is left of it while Redis is away: that there is something to read. */
const hint = (chatId: string, eventSequence: number) => ({ ...message(chatId, eventSequence), body: '' });
const failed: Notification = {
  topic: 'user:sender',
  head: { version: 1, kind: 'passing', event: 'chat.message.failed' },
  body: '{}',
};

function redis() {
  const state = { away: false, calls: 0, published: [] as Notification[] };
  const announcer = createAnnouncer({
    log,
    notifier: {
      async publish(batch) {
        state.calls += 1;
        if (state.away) throw new Error('away');
        state.published.push(...batch);
      },
    },
  });
  return { state, announcer };
}

test('all goes out at once while Redis is there', async () => {
  const { state, announcer } = redis();
  const batch = [message('a', 1), message('a', 2), failed];
  await announcer.announce(batch);
  expect(state.published).toEqual(batch);
  await announcer.announce([]);
  expect(state.calls).toBe(1);
  await announcer.stop();
});

test('while it is away nobody waits for it; of each chat the highest number is announced later, once, and no words', async () => {
  const { state, announcer } = redis();
  state.away = true;
  await announcer.announce([message('a', 1), message('b', 7)]);
  const { calls } = state;
  await announcer.announce([message('a', 3), message('a', 2), failed]);
  expect(state.calls - calls).toBeLessThanOrEqual(1);
  state.away = false;
  await eventually('both chats are announced', () => state.published.length >= 2);
  expect(state.published).toEqual([hint('a', 3), hint('b', 7)]);
  await announcer.announce([message('b', 8)]);
  expect(state.published.at(-1)).toEqual(message('b', 8));
  await announcer.stop();
});

test('stopping tries once more, and does not wait for ever', async () => {
  for (const back of [true, false]) {
    const { state, announcer } = redis();
    state.away = true;
    await announcer.announce([message('a', 1)]);
    state.away = !back;
    await announcer.stop();
    expect(state.published).toEqual(back ? [hint('a', 1)] : []);
  }
});
