import { beforeAll, describe, expect, test } from 'bun:test';
import type { Config } from '../../src/shared/config.ts';
import { ChatError } from '../../src/shared/errors.ts';
import type { Fact, Facts, RateLimits } from '../../src/shared/ports/admission.ts';
import { eventually } from '../support/eventually.ts';
import { runningMs } from '../support/running-time.ts';

export const generous: Config['rateLimits'] = {
  enabled: true,
  user: 1_000,
  read: 1_000,
  typing: 1_000,
  address: 1_000,
  login: 1_000,
  guesses: 1_000,
  lookup: 1_000,
  invite: 1_000,
  connect: 1_000,
};

export const newFact = (): Fact => `participant:${crypto.randomUUID()}:${crypto.randomUUID()}`;

/** What every `Facts` and every `RateLimits` does alike; each call opens one with nothing in it. */
export function admissionConformance(
  name: string,
  openFacts: (options: { ttlMs?: number }) => Promise<Facts>,
  openRateLimits: (limits: Config['rateLimits']) => Promise<RateLimits>,
): void {
  describe(`facts: ${name}`, () => {
    let facts: Facts;
    beforeAll(async () => {
      facts = await openFacts({});
    });

    test('what nobody has filled is not known', async () => {
      expect(await facts.read([newFact(), newFact()])).toEqual([undefined, undefined]);
      expect(await facts.read([])).toEqual([]);
    });

    test('answers come in the order of the questions', async () => {
      const [held, unknown, ended] = [newFact(), newFact(), newFact()];
      await facts.fill([held]);
      await facts.revoke([ended]);
      expect(await facts.read([ended, held, unknown, held])).toEqual([false, true, undefined, true]);
    });

    test('a fill brings no revoked fact back, a restore only makes it unknown', async () => {
      const fact = newFact();
      await facts.fill([fact]);
      await facts.revoke([fact]);
      await facts.fill([fact]);
      expect(await facts.read([fact])).toEqual([false]);
      await facts.restore([fact]);
      expect(await facts.read([fact])).toEqual([undefined]);
      await facts.fill([fact]);
      expect(await facts.read([fact])).toEqual([true]);
    });

    test('of all who say the same one is the first, until it is forgotten', async () => {
      const what = `typing:${crypto.randomUUID()}:${crypto.randomUUID()}` as const;
      const answers = await Promise.all(Array.from({ length: 20 }, () => facts.isNew(what, 300)));
      expect(answers.filter((isNew) => isNew)).toHaveLength(1);
      expect(await facts.isNew(`${what}0`, 300)).toBe(true);
      await eventually('it is new again', () => facts.isNew(what, 300), 2_000);
      expect(await facts.isNew(what, 300)).toBe(false);
      await facts.forget(what);
      expect([await facts.isNew(what, 300), await facts.isNew(what, 300)]).toEqual([true, false]);
    });

    test('a fact dies at its age, however often it is read and filled; so does a revocation', async () => {
      const short = await openFacts({ ttlMs: 500 });
      const [held, ended] = [newFact(), newFact()];
      await short.fill([held]);
      await short.revoke([ended]);
      const filledAt = runningMs();
      expect(await short.read([held, ended])).toEqual([true, false]);
      let lastHeld = filledAt;
      await eventually('both are not known any more', async () => {
        const [holds, revoked] = await short.read([held, ended]);
        if (holds === true) {
          lastHeld = runningMs();
          await short.fill([held]);
          return false;
        }
        return holds === undefined && revoked === undefined;
      });
      expect(lastHeld - filledAt).toBeLessThan(1_500);
    });
  });

  describe(`rate limits: ${name}`, () => {
    const limitOf = (limits: RateLimits, ...keys: string[]) =>
      limits.consume(keys.map((key) => ({ limit: 'user', key }))).then(
        () => 'allowed',
        (error) => {
          expect(error).toBeInstanceOf(ChatError);
          expect(error.code).toBe('rate_limited');
          expect(error.retryAfterSeconds).toBeGreaterThanOrEqual(1);
          expect(error.retryAfterSeconds).toBeLessThanOrEqual(60);
          return 'limited';
        },
      );

    test('as many as the limit says, then no more, for each key and each limit alone', async () => {
      const limits = await openRateLimits({ ...generous, user: 3 });
      const answers: string[] = [];
      for (let at = 0; at < 5; at += 1) answers.push(await limitOf(limits, 'ann'));
      expect(answers).toEqual(['allowed', 'allowed', 'allowed', 'limited', 'limited']);
      expect(await limitOf(limits, 'bob')).toBe('allowed');
      await limits.consume([{ limit: 'address', key: 'ann' }]);
    });

    test('a hundred at once get exactly the limit', async () => {
      const limits = await openRateLimits({ ...generous, user: 30 });
      const answers = await Promise.all(Array.from({ length: 100 }, () => limitOf(limits, 'ann')));
      expect(answers.filter((answer) => answer === 'allowed')).toHaveLength(30);
    });

    test('one of several that is used up refuses all', async () => {
      const limits = await openRateLimits({ ...generous, user: 1 });
      await limits.consume([{ limit: 'user', key: 'ann' }]);
      const both = limits.consume([
        { limit: 'address', key: '::1' },
        { limit: 'user', key: 'ann' },
      ]);
      await expect(both).rejects.toMatchObject({ code: 'rate_limited' });
    });

    test('the same take named ten times takes ten points', async () => {
      const limits = await openRateLimits({ ...generous, user: 20 });
      const ten = Array(10).fill('ann');
      expect(await limitOf(limits, ...ten)).toBe('allowed');
      expect(await limitOf(limits, ...ten)).toBe('allowed');
      expect(await limitOf(limits, 'ann')).toBe('limited');
    });

    test('points that are given back can be taken again, at once and by everybody', async () => {
      const limits = await openRateLimits({ ...generous, login: 20 });
      const take = { limit: 'login', key: 'ann', points: 10 } as const;
      const outcomeOf = () =>
        limits.consume([take]).then(
          () => 'allowed',
          (error) => error.code,
        );
      expect([await outcomeOf(), await outcomeOf(), await outcomeOf()]).toEqual([
        'allowed',
        'allowed',
        'rate_limited',
      ]);
      await limits.giveBack([take, take]);
      expect([await outcomeOf(), await outcomeOf()]).toEqual(['allowed', 'rate_limited']);
    });

    test('what is given back to nobody leaves nothing behind', async () => {
      const limits = await openRateLimits({ ...generous, login: 1 });
      await limits.giveBack([{ limit: 'login', key: 'bob' }]);
      await limits.consume([{ limit: 'login', key: 'ann' }]);
      await limits.giveBack([{ limit: 'login', key: 'ann' }]);
      expect(await limits.count({ limit: 'login', key: 'ann' })).toBe(1);
    });

    test('a count refuses nothing, and says how many there have been', async () => {
      const limits = await openRateLimits({ ...generous, guesses: 2 });
      const count = (points = 1) => limits.count({ limit: 'guesses', key: 'ann@example.com', points });
      expect([await count(), await count(2), await count(), await count(0)]).toEqual([1, 3, 4, 4]);
      await limits.giveBack([{ limit: 'guesses', key: 'ann@example.com', points: 3 }]);
      expect(await count(0)).toBe(1);
    });

    test('switched off, nothing is counted', async () => {
      const limits = await openRateLimits({ ...generous, user: 1, enabled: false });
      for (let at = 0; at < 3; at += 1) expect(await limitOf(limits, 'ann')).toBe('allowed');
      expect(await limits.count({ limit: 'user', key: 'ann' })).toBe(0);
    });
  });
}
