import { beforeAll, describe, expect, test } from 'bun:test';
import { type Config, parseConfig } from '../../src/shared/config.ts';
import type { TokenPair } from '../../src/shared/contract.ts';
import type { RateLimits } from '../../src/shared/ports/admission.ts';
import { createTestApi, type TestApi, testPassword } from '../support/api.ts';
import type { ObservedBase } from '../support/api-bases.ts';

/** Who guesses is held up and nobody else, on whatever the limits are counted. */
export function logInLimitsSuite(
  name: string,
  base: ObservedBase,
  openRateLimits: (limits: Config['rateLimits']) => Promise<RateLimits>,
): void {
  describe(`log-in limits on ${name}`, () => {
    let api: TestApi;
    let rateLimits: RateLimits;
    const open = async (environment: Record<string, string>) => {
      const given = { TRUST_PROXY: 'true', ...environment };
      const limits = await openRateLimits(parseConfig(given).rateLimits);
      // Strangers' passwords are compared one after the other: a busy machine takes longer than clients may be kept waiting.
      const parts = { ...base, environment: given, rateLimits: limits, deadlineMs: 60_000 };
      return { ...(await createTestApi(parts)), limits };
    };
    beforeAll(async () => {
      // Two wrong passwords a minute, of an email from an address.
      const opened = await open({ RATE_LIMIT_LOGIN: '20' });
      api = opened;
      rateLimits = opened.limits;
    });

    let addresses = 0;
    const newAddress = () => {
      addresses += 1;
      return `198.51.${addresses >> 8}.${addresses & 255}`;
    };
    const from = (address: string, path: string, body: object, own = api) =>
      own.call('POST', path, body, { headers: { 'X-Forwarded-For': address } });
    const logIn = (address: string, email: string, password = testPassword, own = api) =>
      from(address, '/auth/login', { email, password }, own);
    const statusesOf = async (answers: Promise<Response>[]) =>
      (await Promise.all(answers)).map(({ status }) => status).toSorted();
    const times = <T>(count: number, what: (at: number) => T) =>
      Array.from({ length: count }, (_, at) => what(at));
    const pairOf = async (answer: Promise<Response>) => (await (await answer).json()) as TokenPair;
    /** An account that has never signed in. */
    const register = async (own = api) => {
      const email = `${crypto.randomUUID()}@example.com`;
      expect(
        (await from(newAddress(), '/auth/register', { email, password: testPassword }, own)).status,
      ).toBe(201);
      return email;
    };

    test('twenty wrong passwords at once: as many are looked at as would be one after the other, and then not even the right one from there', async () => {
      const [email, address] = [await register(), newAddress()];
      const statuses = await statusesOf(times(20, () => logIn(address, email, 'a wrong password')));
      expect(statuses).toEqual([401, 401, ...times(18, () => 429)]);
      const refused = await logIn(address, email);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeWithin(1, 61);
    });

    test('whoever guesses elsewhere keeps the owner out nowhere', async () => {
      const email = await register();
      const [strangers, owners] = [newAddress(), newAddress()];
      await statusesOf(times(3, () => logIn(strangers, email, 'a wrong password')));
      expect((await logIn(owners, email)).status).toBe(200);
    });

    test('the guesses of a whole network of IPv6 count as those of one address', async () => {
      const email = await register();
      const network = `2001:db8:${(addresses + 1).toString(16)}`;
      const statuses = await statusesOf(
        times(4, (at) => logIn(`${network}:${at}::1`, email, 'a wrong password')),
      );
      expect(statuses).toEqual([401, 401, 429, 429]);
    });

    test('a right password takes a point and no more', async () => {
      const [email, address] = [await register(), newAddress()];
      const statuses: number[] = [];
      for (let time = 0; time < 5; time += 1) statuses.push((await logIn(address, email)).status);
      expect(statuses).toEqual([200, 200, 200, 200, 200]);
    });

    test('neighbours who try every door close it to strangers, not to who has come in there before', async () => {
      const own = await open({ RATE_LIMIT_LOGIN: '20', RATE_LIMIT_ADDRESS: '4' });
      const [email, newcomer, address] = [await register(own), await register(own), newAddress()];
      expect((await logIn(address, email, testPassword, own)).status).toBe(200);
      const statuses = await statusesOf(
        times(6, (at) => logIn(address, `nobody-${at}@example.com`, 'wrong', own)),
      );
      expect(statuses).toEqual([401, 401, 401, 401, 429, 429]);
      expect((await logIn(address, newcomer, testPassword, own)).status).toBe(429);
      expect((await logIn(address, email, testPassword, own)).status).toBe(200);
    });

    test('an email that many guess at is shut to nobody: strangers wait, the longer the more have guessed', async () => {
      const email = await register();
      const [known, stranger] = [newAddress(), newAddress()];
      expect((await logIn(known, email)).status).toBe(200);
      // What so many addresses have guessed at it in these minutes.
      const guessed = (points: number) => rateLimits.count({ limit: 'guesses', key: email, points });
      const guesses = await guessed(60 + 40);
      const timeOf = async (address: string) => {
        const startedAt = performance.now();
        expect((await logIn(address, email)).status).toBe(200);
        return performance.now() - startedAt;
      };
      expect(await timeOf(stranger)).toBeGreaterThan((guesses - 40) * 20);
      await guessed(1_000);
      expect(await timeOf(newAddress())).toBeGreaterThan(1_500);
      const after = await guessed(0);
      await timeOf(known);
      expect(await guessed(0)).toBe(after);
    }, 20_000);

    test('registering takes nothing from those who sign in and refresh behind the same address', async () => {
      const own = await open({ RATE_LIMIT_LOGIN: '10' });
      const [email, address] = [await register(own), newAddress()];
      const pair = await pairOf(logIn(address, email, testPassword, own));
      const registered = () => from(address, '/auth/register', { email, password: testPassword }, own);
      // One that tells whether somebody is here counts as ten.
      expect([(await registered()).status, (await registered()).status]).toEqual([409, 429]);
      expect((await logIn(address, await register(own), testPassword, own)).status).toBe(200);
      expect((await from(address, '/auth/refresh', { refreshToken: pair.refreshToken }, own)).status).toBe(
        200,
      );
    });

    test('tokens that are none cost their address, and no session there', async () => {
      const own = await open({ RATE_LIMIT_LOGIN: '5', RATE_LIMIT_ADDRESS: '5' });
      const [email, address] = [await register(own), newAddress()];
      const pair = await pairOf(logIn(address, email, testPassword, own));
      const refresh = (refreshToken: string) => from(address, '/auth/refresh', { refreshToken }, own);
      const junk = ['x', 'A'.repeat(43), `${pair.refreshToken}x`, pair.refreshToken.replace(/.$/, '~')];
      const statuses = await statusesOf(times(8, (at) => refresh(junk[at % junk.length] ?? '')));
      expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
      expect((await refresh(pair.refreshToken)).status).toBe(200);
    });

    test('what a session may refresh is its own: a thousand other sessions behind the address are nothing to it', async () => {
      const own = await open({ RATE_LIMIT_USER: '3' });
      const [email, address] = [await register(own), newAddress()];
      const signedIn = () => pairOf(logIn(address, email, testPassword, own));
      const [one, other] = [await signedIn(), await signedIn()];
      const refresh = ({ refreshToken }: { refreshToken: string }) =>
        from(address, '/auth/refresh', { refreshToken }, own);
      expect(await statusesOf(times(5, () => refresh(one)))).toEqual([200, 200, 200, 429, 429]);
      expect((await refresh(other)).status).toBe(200);
    });
  });
}
