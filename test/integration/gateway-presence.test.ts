import { expect, test } from 'bun:test';
import { createSetTyping } from '../../src/chat/set-typing.ts';
import { readDirectChats } from '../../src/db/queries/presence.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import { createWorld, type WorldUser } from '../support/gateway-world.ts';
import { runningMs } from '../support/running-time.ts';
import { gatewayPresenceSuite } from './gateway-presence-suite.ts';

const base = await embeddedBase();

test('of who is in thousands of chats the newest are looked at', async () => {
  const world = await createWorld(base);
  const [ada, bob] = (await world.newUsers(2)) as [WorldUser, WorldUser];
  await world.newDirect(ada, bob);
  const found = async () => {
    const chats = await readDirectChats(base.database, [ada.id, bob.id], { shows: true, awayMs: 0 });
    return chats.map(({ userId }) => userId);
  };
  expect(await found()).toEqual([ada.id, bob.id]);
  await base.database.query(
    `WITH made AS (
       INSERT INTO chats (id, is_group, last_event_sequence)
       SELECT ('ffffffff' || substr(gen_random_uuid()::text, 9))::uuid, true, 1 FROM generate_series(1, 1000) RETURNING id
     )
     INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
     SELECT made.id, $1::uuid, 'member', 1, 1 FROM made`,
    [ada.id],
  );
  expect(await found()).toEqual([bob.id]);
});

test.concurrent('who types on is told of once in 3 s', async () => {
  const announced: number[] = [];
  const announce = async () => void announced.push(runningMs());
  const setTyping = createSetTyping({ ...base, announce, liveMax: 100 });
  const input = { chatId: crypto.randomUUID(), userId: crypto.randomUUID(), typing: true };
  await eventually('it is told again', async () => {
    await setTyping({ ...input, facts: [true, true] });
    return announced.length > 1;
  });
  expect(announced[1]! - announced[0]!).toBeWithin(2_950, 4_500);
});

test('who stops is answered when that is known everywhere: what is typed next is told', async () => {
  const [told, order] = [[] as string[], [] as string[]];
  const known = Promise.withResolvers<void>();
  const setTyping = createSetTyping({
    ...base,
    facts: {
      ...base.facts,
      async forget(what) {
        await known.promise;
        order.push('known');
        await base.facts.forget(what);
      },
    },
    announce: async (changes) => void told.push(...changes.map(({ body }) => body)),
    liveMax: 100,
  });
  const input = { chatId: crypto.randomUUID(), userId: crypto.randomUUID(), facts: [true, true] };
  await setTyping({ ...input, typing: true });
  const stopped = setTyping({ ...input, typing: false }).then(() => order.push('answered'));
  // Time for all that waits for nothing else.
  await new Promise(setImmediate);
  known.resolve();
  await stopped;
  expect(order).toEqual(['known', 'answered']);
  await setTyping({ ...input, typing: true });
  expect(told.map((body) => JSON.parse(body).typing)).toEqual([true, false, true]);
});

gatewayPresenceSuite('embedded', { ...base, ends: [base] });
