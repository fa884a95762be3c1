import { beforeAll, describe, expect, test } from 'bun:test';
import { decode } from 'hono/jwt';
import type { TokenPair } from '../../src/shared/contract.ts';
import type { Notification } from '../../src/shared/notifications/notifications.ts';
import { createTestApi, type TestApi, testPassword, userOf } from '../support/api.ts';
import type { ObservedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';

/** Registration, sign-in, refresh and sign-out, on whatever the api stands on. */
export function authSuite(name: string, base: ObservedBase): void {
  describe(`auth on ${name}`, () => {
    let api: TestApi;
    beforeAll(async () => {
      api = await createTestApi(base);
    });

    const pairOf = async (answer: Response): Promise<TokenPair> => {
      expect(answer.status).toBe(200);
      return (await answer.json()) as TokenPair;
    };
    const refresh = (refreshToken: string) => api.post('/auth/refresh', { refreshToken });
    const newEmail = () => `${crypto.randomUUID()}@example.com`;
    const expectProblem = async (answer: Response, status: number, code: string) => {
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(await answer.json()).toMatchObject({ status, code, type: `urn:confab:error:${code}` });
      expect(answer.status).toBe(status);
    };
    /** Makes the first uses of a session's tokens look as long ago. */
    const age = (sessionId: string, seconds: number) =>
      base.database.query(
        `UPDATE refresh_tokens SET used_at = used_at - $2::int * interval '1 second' WHERE session_id = $1::uuid`,
        [sessionId, seconds],
      );
    const sessionOf = (pair: TokenPair) => String(decode(pair.accessToken).payload.sid);

    describe('registering', () => {
      test('201: the user, with the local part for a name', async () => {
        const answer = await api.post('/auth/register', {
          email: 'Ada.L@Example.com',
          password: testPassword,
        });
        expect(answer.status).toBe(201);
        const user = await userOf(answer);
        expect(user).toEqual({
          id: expect.any(String),
          email: 'ada.l@example.com',
          displayName: 'ada.l',
          createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        });
      });

      test('409: the email is taken, whatever its case', async () => {
        const email = newEmail();
        await api.post('/auth/register', { email, password: testPassword });
        const again = await api.post('/auth/register', {
          email: email.toUpperCase(),
          password: testPassword,
        });
        await expectProblem(again, 409, 'email_taken');
      });

      test('two at once: one is made, the other is told', async () => {
        const email = newEmail();
        const answers = await Promise.all(
          [1, 2].map(() => api.post('/auth/register', { email, password: testPassword })),
        );
        expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409]);
        await api.signIn(email);
      });
    });

    describe('signing in', () => {
      test('200: a pair that opens the api; the email is compared in lower case', async () => {
        const { email } = await api.signUp();
        const pair = await api.signIn(` ${email.toUpperCase()} `);
        expect(pair).toMatchObject({ tokenType: 'Bearer', expiresIn: 900, user: { email } });
        const me = await api.get('/auth/me', pair.accessToken);
        expect(await userOf(me)).toEqual(pair.user);
      });

      test('a wrong password and an unknown email get the same answer', async () => {
        const { email } = await api.signUp();
        const wrong = await api.post('/auth/login', { email, password: 'not the password' });
        const unknown = await api.post('/auth/login', { email: newEmail(), password: testPassword });
        await expectProblem(wrong, 401, 'bad_credentials');
        await expectProblem(unknown, 401, 'bad_credentials');
      });

      test('sessions that ended long ago are cleared by the way', async () => {
        const { email, ...old } = await api.signUp();
        await base.database.query(
          `UPDATE sessions SET expires_at = now() - interval '2 days' WHERE id = $1::uuid`,
          [sessionOf(old)],
        );
        await api.signIn(email);
        const left = await base.database.query('SELECT 1 FROM sessions WHERE id = $1::uuid', [
          sessionOf(old),
        ]);
        expect(left).toEqual([]);
        await expectProblem(await refresh(old.refreshToken), 401, 'refresh_invalid');
      });
    });

    describe('refreshing', () => {
      test('200: a new pair of the same session, which refreshes in its turn', async () => {
        const first = await api.signUp();
        const second = await pairOf(await refresh(first.refreshToken));
        const third = await pairOf(await refresh(second.refreshToken));
        expect(new Set([first, second, third].map(sessionOf)).size).toBe(1);
        expect(new Set([first, second, third].map(({ refreshToken }) => refreshToken)).size).toBe(3);
        expect((await api.get('/auth/me', third.accessToken)).status).toBe(200);
      });

      test('ten at once get ten pairs, and each of them is good', async () => {
        const { refreshToken } = await api.signUp();
        const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(refreshToken)));
        const pairs = await Promise.all(answers.map(pairOf));
        expect(new Set(pairs.map((pair) => pair.refreshToken)).size).toBe(10);
        expect(new Set(pairs.map((pair) => pair.accessToken)).size).toBe(10);
        expect(new Set(pairs.map(sessionOf)).size).toBe(1);
        for (const pair of pairs) await pairOf(await refresh(pair.refreshToken));
      });

      test('a token used again after 9 s still gets a pair', async () => {
        const first = await api.signUp();
        await pairOf(await refresh(first.refreshToken));
        await age(sessionOf(first), 9);
        await pairOf(await refresh(first.refreshToken));
      });

      test('a token used again after 10 s ends the session for everybody', async () => {
        const first = await api.signUp();
        const second = await pairOf(await refresh(first.refreshToken));
        expect((await api.get('/auth/me', second.accessToken)).status).toBe(200);
        await age(sessionOf(first), 10);
        await expectProblem(await refresh(first.refreshToken), 401, 'session_revoked');
        await expectProblem(await refresh(second.refreshToken), 401, 'session_revoked');
        await expectProblem(await api.get('/auth/me', second.accessToken), 401, 'session_revoked');
      });

      test('a refresh moves the end of the session', async () => {
        const pair = await api.signUp();
        const expiresAt = async () => {
          const sql =
            'SELECT extract(epoch FROM expires_at - now())::int AS left FROM sessions WHERE id = $1::uuid';
          return (await base.database.query<{ left: number }>(sql, [sessionOf(pair)]))[0]?.left;
        };
        await base.database.query(
          `UPDATE sessions SET expires_at = now() + interval '1 minute' WHERE id = $1::uuid`,
          [sessionOf(pair)],
        );
        await pairOf(await refresh(pair.refreshToken));
        expect(await expiresAt()).toBeGreaterThan(29 * 24 * 3600);
      });

      test('a session past its end refreshes no more', async () => {
        const pair = await api.signUp();
        await base.database.query(
          `UPDATE sessions SET expires_at = now() - interval '1 second' WHERE id = $1::uuid`,
          [sessionOf(pair)],
        );
        await expectProblem(await refresh(pair.refreshToken), 401, 'refresh_invalid');
        await expectProblem(await api.get('/auth/me', pair.accessToken), 401, 'session_revoked');
      });

      test('a session that goes on keeps no token past the refresh time', async () => {
        const first = await api.signUp();
        const second = await pairOf(await refresh(first.refreshToken));
        const days = 24 * 3600;
        await base.database.query(
          `UPDATE refresh_tokens SET created_at = created_at - interval '31 days' WHERE session_id = $1::uuid`,
          [sessionOf(first)],
        );
        await age(sessionOf(first), 29 * days);
        await pairOf(await refresh(second.refreshToken));
        const kept = async () => {
          const sql = 'SELECT count(*)::int AS count FROM refresh_tokens WHERE session_id = $1::uuid';
          return (await base.database.query<{ count: number }>(sql, [sessionOf(first)]))[0]?.count;
        };
        expect(await kept()).toBe(3);
        await age(sessionOf(first), 2 * days);
        // Of the ten seconds in which a token may be used again.
        await base.database.query(
          "UPDATE refresh_tokens SET used_at = now() WHERE session_id = $1::uuid AND used_at > now() - interval '3 days'",
          [sessionOf(first)],
        );
        await pairOf(await refresh(second.refreshToken));
        expect(await kept()).toBe(3);
        await expectProblem(await refresh(first.refreshToken), 401, 'refresh_invalid');
      });

      test('PostgreSQL never sees a token, only its hash', async () => {
        const pair = await api.signUp();
        const rows = await base.database.query<{ tokenHash: string }>(
          'SELECT token_hash AS "tokenHash" FROM refresh_tokens WHERE session_id = $1::uuid',
          [sessionOf(pair)],
        );
        const hash = new Bun.CryptoHasher('sha256').update(pair.refreshToken).digest('base64url');
        expect(rows).toEqual([{ tokenHash: hash }]);
      });
    });

    describe('signing out', () => {
      test('204: the tokens of the session die, those of another session live', async () => {
        const { email, ...first } = await api.signUp();
        const other = await api.signIn(email);
        expect((await api.get('/auth/me', first.accessToken)).status).toBe(200);
        const answer = await api.post('/auth/logout', undefined, first.accessToken);
        expect([answer.status, await answer.text()]).toEqual([204, '']);
        await expectProblem(await api.get('/auth/me', first.accessToken), 401, 'session_revoked');
        await expectProblem(await refresh(first.refreshToken), 401, 'session_revoked');
        expect((await api.get('/auth/me', other.accessToken)).status).toBe(200);
      });

      test('the gateways of the user are told which session to close', async () => {
        const pair = await api.signUp();
        const heard: Notification[] = [];
        base.subscriber.onNotifications((batch) => heard.push(...batch));
        await base.subscriber.subscribe([`user:${pair.user.id}`]);
        await api.post('/auth/logout', undefined, pair.accessToken);
        await eventually('the notification', () => heard.length > 0);
        expect(heard.map(({ head }) => head)).toEqual([
          { version: 1, kind: 'session.revoked', userId: pair.user.id, sessionId: sessionOf(pair) },
        ]);
      });

      test('a notifier that fails fails no sign-out', async () => {
        const notifier = { publish: () => Promise.reject(new Error('no Redis')) };
        const alone = await createTestApi({ ...base, notifier });
        const pair = await alone.signUp();
        expect((await alone.post('/auth/logout', undefined, pair.accessToken)).status).toBe(204);
        await expectProblem(await alone.get('/auth/me', pair.accessToken), 401, 'session_revoked');
      });
    });

    describe('users', () => {
      test('one shows one’s email to oneself alone', async () => {
        const [ada, bob] = [await api.signUp(), await api.signUp()];
        const own = await userOf(await api.get(`/users/${ada.user.id}`, ada.accessToken));
        const foreign = await userOf(await api.get(`/users/${ada.user.id}`, bob.accessToken));
        expect(own).toEqual(ada.user);
        expect(foreign).toEqual({ id: own.id, displayName: own.displayName, createdAt: own.createdAt });
      });

      test('a user is found by the whole email, in any case; nobody by another', async () => {
        const [ada, bob] = [await api.signUp(), await api.signUp()];
        const find = async (email: string) => {
          const answer = await api.get(`/users?email=${encodeURIComponent(email)}`, bob.accessToken);
          return ((await answer.json()) as { data: unknown[] }).data;
        };
        const { email, ...shown } = ada.user;
        expect(await find(ada.email.toUpperCase())).toEqual([shown]);
        expect(await find(bob.email)).toEqual([bob.user]);
        expect(await find(ada.email.slice(1))).toEqual([]);
      });
    });
  });
}
