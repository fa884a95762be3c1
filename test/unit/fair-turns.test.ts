import { expect, test } from 'bun:test';
import { type Asker, createFairTurns } from '../../src/auth/fair-turns.ts';

const stranger = (member: string, group = member): Asker => ({ member, group, known: false });
const acquaintance = (member: string): Asker => ({ member, group: `known ${member}`, known: true });

/** One turn at a time; what got a turn is noted, and `open` lets the first one go. */
async function queue(maxWaiting = 1_000) {
  const turn = createFairTurns({ concurrency: 1, maxWaiting, maxWaitMs: 60_000 });
  const served: string[] = [];
  const refused: string[] = [];
  const gate = Promise.withResolvers<void>();
  const asked = [turn(stranger('first'), () => gate.promise)];
  const ask = (asker: Asker, name = asker.member) => {
    const done = turn(asker, async () => void served.push(name));
    asked.push(done.catch((error) => void refused.push(`${name}: ${error.code}`)));
  };
  const allServed = async () => {
    gate.resolve();
    await Promise.all(asked);
    return served;
  };
  return { ask, allServed, refused };
}

test('who comes now and then waits for one turn, however many stand in line again and again', async () => {
  const { ask, allServed } = await queue();
  const crowd = Array.from({ length: 40 }, (_, at) => stranger(`192.0.2.${at}`));
  for (let round = 0; round < 3; round += 1) for (const asker of crowd) ask(asker);
  ask(stranger('198.51.100.1'), 'now and then');
  const served = await allServed();
  expect(served).toHaveLength(121);
  expect(served[0]).toBe('now and then');
  // All others asked as often: each has one turn before anybody has two.
  expect(new Set(served.slice(1, 41)).size).toBe(40);
});

test('who was refused before has asked all the same', async () => {
  const turn = createFairTurns({ concurrency: 1, maxWaiting: 1, maxWaitMs: 60_000 });
  const gate = Promise.withResolvers<void>();
  const first = turn(stranger('first'), () => gate.promise);
  const pushing = Array.from({ length: 10 }, () => turn(stranger('pushing'), async () => {}));
  const served = turn(stranger('polite'), async () => 'served');
  gate.resolve();
  const outcomes = await Promise.allSettled(pushing);
  expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
  expect([await first, await served]).toEqual([undefined, 'served']);
});

test('what turns out to be harmless is forgotten', async () => {
  const turn = createFairTurns({ concurrency: 1, maxWaiting: 100, maxWaitMs: 60_000 });
  for (let time = 0; time < 5; time += 1) {
    await turn(
      stranger('right'),
      async () => true,
      (isRight) => isRight,
    );
    await turn(
      stranger('wrong'),
      async () => false,
      (isRight) => isRight,
    );
  }
  const served: string[] = [];
  const gate = Promise.withResolvers<void>();
  const asked = [turn(stranger('first'), () => gate.promise)];
  for (const name of ['wrong', 'right']) asked.push(turn(stranger(name), async () => void served.push(name)));
  gate.resolve();
  await Promise.all(asked);
  expect(served).toEqual(['right', 'wrong']);
});

test('a network has one share, whichever of its addresses ask', async () => {
  const { ask, allServed } = await queue();
  for (let at = 0; at < 50; at += 1) ask(stranger(`2001:db8:1:${at}::/64`, '2001:db8:1::/48'), 'network');
  for (let at = 0; at < 3; at += 1) ask(stranger(`192.0.2.${at}`));
  expect((await allServed()).slice(0, 4)).toEqual(['192.0.2.0', '192.0.2.1', '192.0.2.2', 'network']);
});

test('within a network, too, who asks less goes first', async () => {
  const { ask, allServed } = await queue();
  const network = '2001:db8:1::/48';
  for (let at = 0; at < 5; at += 1) ask(stranger('one', network));
  ask(stranger('other', network));
  expect((await allServed()).slice(0, 2)).toEqual(['other', 'one']);
});

test('strangers leave one of several places free: who is known begins at once', async () => {
  const turn = createFairTurns({ concurrency: 2, maxWaiting: 100, maxWaitMs: 60_000 });
  const gate = Promise.withResolvers<void>();
  let begun = 0;
  const strangers = Array.from({ length: 5 }, (_, at) =>
    turn(stranger(`192.0.2.${at}`), () => {
      begun += 1;
      return gate.promise;
    }),
  );
  expect(await turn(acquaintance('ada'), async () => 'served')).toBe('served');
  expect(await turn(acquaintance('ada'), async () => 'served again')).toBe('served again');
  expect(begun).toBe(1);
  gate.resolve();
  await Promise.all(strangers);
});

test('who is known goes before strangers, even those who asked less', async () => {
  const { ask, allServed } = await queue();
  for (let at = 0; at < 20; at += 1) ask(stranger(`192.0.2.${at}`));
  for (let time = 0; time < 2; time += 1) ask(acquaintance('ada'));
  expect((await allServed()).slice(0, 2)).toEqual(['ada', 'ada']);
});

test('strangers have every fourth turn, and keep their places, however many accounts somebody makes known', async () => {
  const { ask, allServed, refused } = await queue(20);
  for (let at = 0; at < 3; at += 1) ask(stranger(`192.0.2.${at}`));
  for (let at = 0; at < 40; at += 1) ask(acquaintance(`account ${at}`), 'known');
  const served = await allServed();
  expect(served.flatMap((name, at) => (name === 'known' ? [] : [at]))).toEqual([3, 7, 11]);
  expect(refused).toEqual(Array(20).fill('known: server_busy'));
});

test('when all places are taken, a newcomer has that of whoever asks the most; that one is told', async () => {
  const { ask, allServed, refused } = await queue(5);
  for (let at = 0; at < 4; at += 1) ask(stranger('greedy'), `greedy ${at}`);
  ask(stranger('modest'));
  ask(stranger('newcomer'));
  ask(stranger('greedy'), 'greedy again');
  expect(await allServed()).toEqual(['modest', 'newcomer', 'greedy 0', 'greedy 1', 'greedy 2']);
  expect(refused.toSorted()).toEqual(['greedy 3: server_busy', 'greedy again: server_busy']);
});

test('a turn that fails is over like any other', async () => {
  const turn = createFairTurns({ concurrency: 1, maxWaiting: 1, maxWaitMs: 60_000 });
  const failing = turn(stranger('a'), () => Promise.reject(new Error('no')));
  const next = turn(stranger('b'), async () => 'served');
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('served');
});
