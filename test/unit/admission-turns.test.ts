import { expect, test } from 'bun:test';
import { createRedisFacts } from '../../src/adapters/redis/facts.ts';
import { createRedisRateLimits } from '../../src/adapters/redis/rate-limits.ts';
import { type AdmissionClient, createAdmissionRedis } from '../../src/adapters/redis/redis-turn.ts';
import { createTurns } from '../../src/adapters/redis/turn.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';

/** Answers come when the test says so. */
function questions() {
  const asked: { list: string[]; answer(): void }[] = [];
  const turnNow = createTurns(
    (): string[] => [],
    (list) => new Promise<void>((resolve) => asked.push({ list, answer: resolve })),
  );
  const ask = (question: string) => {
    const turn = turnNow();
    turn.questions.push(question);
    return turn.answered;
  };
  return { ask, asked, lists: () => asked.map(({ list }) => list) };
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('what is asked alone is asked at the end of its turn of the event loop', async () => {
  const { ask, asked, lists } = questions();
  const answered = ask('a');
  expect(lists()).toEqual([]);
  await nextTurn();
  expect(lists()).toEqual([['a']]);
  asked[0]!.answer();
  await answered;
});

test('what is asked with others is asked together, once a turn has brought nothing more', async () => {
  const { ask, asked, lists } = questions();
  const answers = [ask('a'), ask('b')];
  await Promise.resolve();
  answers.push(ask('after a microtask'));
  await nextTurn();
  answers.push(ask('in the next turn'));
  await nextTurn();
  expect(lists()).toEqual([]);
  await nextTurn();
  expect(lists()).toEqual([['a', 'b', 'after a microtask', 'in the next turn']]);
  asked[0]!.answer();
  await Promise.all(answers);
});

test('where each turn brings more, the eighth is the last', async () => {
  const { ask, lists } = questions();
  void ask('first');
  for (let turn = 1; turn <= 9; turn += 1) {
    void ask(`${turn}`);
    await nextTurn();
  }
  expect(lists()).toEqual([['first', '1', '2', '3', '4', '5', '6', '7', '8'], ['9']]);
});

test('the questions of the next turn do not wait for the answers of the one before', async () => {
  const { ask, asked, lists } = questions();
  const told: string[] = [];
  const first = ask('a').then(() => told.push('a'));
  await nextTurn();
  const second = ask('b').then(() => told.push('b'));
  await nextTurn();
  expect(lists()).toEqual([['a'], ['b']]);
  asked[1]!.answer();
  await second;
  expect(told).toEqual(['b']);
  asked[0]!.answer();
  await first;
});

/** As much of Redis as admission asks, with its commands. */
function fakeRedis(kept: Record<string, string> = {}) {
  const state = { commands: [] as string[], away: false };
  const run = async <Answer>(command: string, answer: () => Answer): Promise<Answer> => {
    state.commands.push(command);
    if (state.away) throw new Error('away');
    return answer();
  };
  const add = (key: string, by: number): number => {
    kept[key] = String(Number(kept[key] ?? 0) + by);
    return Number(kept[key]);
  };
  const client = {
    defineCommand() {},
    admit(count: number, ...rest: (string | number)[]) {
      const [keys, [facts = 0, ...numbers]] = [
        rest.slice(0, count).map(String),
        rest.slice(count).map(Number),
      ];
      const takes = keys.slice(facts).map((key, at) => [key, ...numbers.slice(3 * at, 3 * at + 3)] as const);
      const asked = keys.slice(0, facts);
      const words = [...asked, ...takes.map(([key, points, , windowMs]) => `${key} ${points} ${windowMs}`)];
      return run(words.join(', '), () => [
        ...asked.map((key) => kept[key] ?? null),
        ...takes.flatMap(([key, points = 0]) => [add(key, points), 41_500]),
      ]);
    },
  } as unknown as AdmissionClient;
  return { client, state };
}

const limits = {
  enabled: true,
  user: 3,
  read: 3,
  typing: 3,
  address: 100,
  login: 100,
  guesses: 100,
  lookup: 100,
  invite: 100,
  connect: 100,
};
const send = [
  { limit: 'user', key: 'ann' },
  { limit: 'address', key: '192.0.2.1' },
] as const;
const outcomesOf = async (sends: Promise<void>[]): Promise<unknown[]> =>
  (await Promise.allSettled(sends)).map((sent) =>
    sent.status === 'fulfilled' ? 'in' : [sent.reason.code, sent.reason.retryAfterSeconds],
  );

test('the facts of one turn are asked together, and each gets its own answers', async () => {
  const { client, state } = fakeRedis({ 'c:fact:session:1': '1', 'c:fact:session:2': '0' });
  const facts = createRedisFacts(createAdmissionRedis(client, createMetrics()), 'c');
  const answers = [
    facts.read(['session:1', 'participant:x:ann']),
    facts.read([]),
    facts.read(['session:2']),
    facts.read(['session:3', 'session:1']),
  ];
  expect(await Promise.all(answers)).toEqual([[true, undefined], [], [false], [undefined, true]]);
  expect(state.commands).toEqual([
    'c:fact:session:1, c:fact:participant:x:ann, c:fact:session:2, c:fact:session:3, c:fact:session:1',
  ]);
});

test('facts and limits of one turn are asked together', async () => {
  const { client, state } = fakeRedis({ 'c:fact:session:1': '1' });
  const admission = createAdmissionRedis(client, createMetrics());
  const facts = createRedisFacts(admission, 'c');
  const { consume } = createRedisRateLimits(admission, 'c', limits, 'a secret');
  const user = [{ limit: 'user', key: 'ann' }] as const;
  const asked = [facts.read(['session:1']), consume(user), facts.read(['session:2']), consume(user)];
  expect(await Promise.all(asked)).toEqual([[true], undefined, [undefined], undefined]);
  expect(state.commands).toEqual(['c:fact:session:1, c:fact:session:2, c:limit:user:ann 2 60000']);
});

test('requests of one turn count as if each had come by itself: the first ones are let in', async () => {
  const { client, state } = fakeRedis({ 'c:limit:user:ann': '1' });
  const { consume } = createRedisRateLimits(
    createAdmissionRedis(client, createMetrics()),
    'c',
    limits,
    'a secret',
  );
  const sends = [consume(send), consume(send), consume(send), consume([{ limit: 'user', key: 'bob' }])];
  expect(await outcomesOf(sends)).toEqual(['in', 'in', ['rate_limited', 42], 'in']);
  expect(state.commands).toEqual([
    expect.stringMatching(
      /^c:limit:user:ann 3 60000, c:limit:address:[\w-]{22} 3 60000, c:limit:user:bob 1 60000$/,
    ),
  ]);
});

test('what takes many points is refused whole, where fewer would still be let in', async () => {
  const { client, state } = fakeRedis({ 'c:limit:invite:ann': '60' });
  const { consume } = createRedisRateLimits(
    createAdmissionRedis(client, createMetrics()),
    'c',
    limits,
    'a secret',
  );
  const invite = (points: number) => consume([{ limit: 'invite', key: 'ann', points }]);
  expect(await outcomesOf([invite(30), invite(10), invite(1)])).toEqual(['in', 'in', ['rate_limited', 42]]);
  expect(state.commands).toEqual(['c:limit:invite:ann 41 60000']);
});

test('who is over a limit costs Redis nothing more, and nobody else', async () => {
  const { client, state } = fakeRedis({ 'c:limit:user:ann': '3' });
  const { consume } = createRedisRateLimits(
    createAdmissionRedis(client, createMetrics()),
    'c',
    limits,
    'a secret',
  );
  expect(await outcomesOf([consume(send)])).toEqual([['rate_limited', 42]]);
  state.commands = [];
  expect(await outcomesOf([consume(send), consume(send)])).toEqual([
    ['rate_limited', 42],
    ['rate_limited', 42],
  ]);
  expect(state.commands).toEqual([]);
  expect(await outcomesOf([consume([{ limit: 'user', key: 'bob' }])])).toEqual(['in']);
});

test('while Redis is away the requests of a turn are counted in this process', async () => {
  const { client, state } = fakeRedis();
  state.away = true;
  const { consume } = createRedisRateLimits(
    createAdmissionRedis(client, createMetrics()),
    'c',
    limits,
    'a secret',
  );
  const sends = [consume(send), consume(send), consume(send), consume(send)];
  expect(await outcomesOf(sends)).toEqual(['in', 'in', 'in', ['rate_limited', 60]]);
});
