import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readMemberships } from '../../src/db/queries/memberships.ts';
import { newId } from '../../src/shared/ids.ts';
import { eventually } from '../support/eventually.ts';
import {
  connectClient,
  counted,
  createWorld,
  type RunningGateway,
  startTestGateway,
  type World,
  type WorldUser,
} from '../support/gateway-world.ts';
import { twoEnds } from '../support/two-ends.ts';

const base = await twoEnds();
const few = 3;
const many = 5_500;
const veryMany = 21_000;
let world: World;
let users: [WorldUser, WorldUser, WorldUser];
let gateway: RunningGateway;
beforeAll(async () => {
  world = await createWorld(base);
  gateway = await startTestGateway({ ...base, ...base.ends[0]! });
  users = (await world.newUsers(3)) as typeof users;
  // The first is in the first few, the second in more of them, the third in all.
  await base.database.query(
    `WITH made AS (
       INSERT INTO chats (id, is_group, last_event_sequence)
       SELECT gen_random_uuid(), true, number FROM generate_series(1, ${veryMany}) AS number
       RETURNING id, last_event_sequence AS number
     )
     INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
     SELECT made.id, w.user_id, 'member', 1, 1
     FROM made JOIN unnest($1::uuid[], $2::int[]) AS w (user_id, most) ON made.number <= w.most`,
    [users.map(({ id }) => id), [few, many, veryMany]],
  );
}, 30_000);
afterAll(() => gateway.stop());

test('the chats of users are read whole, each once, however many there are, in statements of a bounded size', async () => {
  let largest = 0;
  const { database, queries } = counted({
    ...base.database,
    async query(text, parameters) {
      const rows = await base.database.query<never>(text, parameters);
      largest = Math.max(largest, rows.length);
      return rows;
    },
  });
  const absent = newId();
  const others = Array.from({ length: 197 }, newId);
  const found = await readMemberships(database, [absent, ...users.map(({ id }) => id), ...others]);
  for (const [at, most] of [few, many, veryMany].entries()) {
    const { version, memberships } = found.get(users[at]!.id)!;
    expect(version).toBe(1);
    // Each head is the number of its chat.
    expect(memberships.map(({ head }) => head).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: most }, (_, number) => number + 1),
    );
    expect(new Set(memberships.map(({ userId }) => userId))).toEqual(new Set([users[at]!.id]));
  }
  expect(found.get(absent)).toMatchObject({ version: undefined, memberships: [] });
  expect(largest).toBeLessThanOrEqual(20_000);
  expect(queries()).toBeLessThan(20);
});

test('who is in thousands of chats connects, and hears of all of them', async () => {
  const client = await connectClient(gateway.url, users[1]);
  const [chat] = (await readMemberships(base.database, [users[1].id]))
    .get(users[1].id)!
    .memberships.slice(-1);
  await world.send(users[1], chat!.chatId, 'here too');
  await eventually('it is told', () => client.contents('chat.message.saved').includes('here too'));
  client.close();
}, 20_000);
