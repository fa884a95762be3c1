import { beforeAll, describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { decode } from 'hono/jwt';
import { createRefreshTokens, hashRefreshToken, newSeed } from '../../src/auth/refresh-token.ts';
import type { TokenPair } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import type { Notification } from '../../src/shared/ports/notifications.ts';
import { createTestApi, type TestApi, testAccountKey, testPassword, userOf } from '../support/api.ts';
import type { ObservedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';

/** Registration, sign-in, refresh and sign-out, on whatever the api stands on. */
export function authSuite(name: string, base: ObservedBase): void {
  describe(`auth on ${name}`, () => {
    let api: TestApi;
    let shared: string;
    beforeAll(async () => {
      api = await createTestApi(base);
      shared = (await api.signUp()).email;
    });

    /** Of a user that these have in common: it takes one password less. */
    const newSession = () => api.signIn(shared);
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
    /** Makes what was done with a session's tokens look as long ago. */
    const age = (sessionId: string, seconds: number) =>
      base.database.query(
        `UPDATE refresh_tokens SET created_at = created_at - $2::int * interval '1 second',
          used_at = used_at - $2::int * interval '1 second' WHERE session_id = $1::uuid`,
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

      test('an old password is good, however common, and an address however long', async () => {
        const email = `${'a'.repeat(65)}.${crypto.randomUUID()}@example.com`;
        // As it could be registered before there was a list.
        await base.database.query(
          `INSERT INTO users (id, email, password_hash, display_name) VALUES ($1::uuid, $2, $3, 'Ada')`,
          [
            newId(),
            email,
            await Bun.password.hash('password', { algorithm: 'argon2id', memoryCost: 8, timeCost: 1 }),
          ],
        );
        await pairOf(await api.post('/auth/login', { email, password: 'password' }));
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
        const first = await newSession();
        const second = await pairOf(await refresh(first.refreshToken));
        const third = await pairOf(await refresh(second.refreshToken));
        expect(new Set([first, second, third].map(sessionOf)).size).toBe(1);
        expect(new Set([first, second, third].map(({ refreshToken }) => refreshToken)).size).toBe(3);
        expect((await api.get('/auth/me', third.accessToken)).status).toBe(200);
      });

      test('twenty tabs at once get the same next token, and it is good', async () => {
        const { refreshToken } = await newSession();
        const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(refreshToken)));
        const pairs = await Promise.all(answers.map(pairOf));
        expect(new Set(pairs.map((pair) => pair.refreshToken)).size).toBe(1);
        expect(new Set(pairs.map(sessionOf)).size).toBe(1);
        for (const pair of pairs) expect((await api.get('/auth/me', pair.accessToken)).status).toBe(200);
        await pairOf(await refresh(pairs[0]!.refreshToken));
      });

      test('a token used again after 9 s gets the same next one', async () => {
        const first = await newSession();
        const second = await pairOf(await refresh(first.refreshToken));
        await age(sessionOf(first), 9);
        const again = await pairOf(await refresh(first.refreshToken));
        expect(again.refreshToken).toBe(second.refreshToken);
      });

      test('a token used again after 10 s ends the session for everybody', async () => {
        const first = await newSession();
        const second = await pairOf(await refresh(first.refreshToken));
        expect((await api.get('/auth/me', second.accessToken)).status).toBe(200);
        await age(sessionOf(first), 10);
        await expectProblem(await refresh(first.refreshToken), 401, 'session_revoked');
        await expectProblem(await refresh(second.refreshToken), 401, 'session_revoked');
        await expectProblem(await api.get('/auth/me', second.accessToken), 401, 'session_revoked');
      });

      test('a copy that is used within the 10 s is found out at the next refresh of either', async () => {
        const own = await newSession();
        const [owners, thiefs] = [
          await pairOf(await refresh(own.refreshToken)),
          await pairOf(await refresh(own.refreshToken)),
        ];
        const next = await pairOf(await refresh(owners.refreshToken));
        await age(sessionOf(own), 10);
        await expectProblem(await refresh(thiefs.refreshToken), 401, 'session_revoked');
        await expectProblem(await refresh(next.refreshToken), 401, 'session_revoked');
      });

      test('a token older than the one before is a copy at once', async () => {
        const first = await newSession();
        const second = await pairOf(await refresh(first.refreshToken));
        await pairOf(await refresh(second.refreshToken));
        await expectProblem(await refresh(first.refreshToken), 401, 'session_revoked');
        await expectProblem(await refresh(second.refreshToken), 401, 'session_revoked');
      });

      test('a session keeps one row, however often it is refreshed', async () => {
        const first = await newSession();
        let pair: TokenPair = first;
        for (let time = 0; time < 5; time += 1) pair = await pairOf(await refresh(pair.refreshToken));
        const sql = 'SELECT token_hash AS "tokenHash" FROM refresh_tokens WHERE session_id = $1::uuid';
        const rows = await base.database.query<{ tokenHash: string }>(sql, [sessionOf(first)]);
        // PostgreSQL never sees a token, only its hash.
        expect(rows).toEqual([{ tokenHash: hashRefreshToken(pair.refreshToken) }]);
      });

      test('what was made by somebody else is no token, and harms none', async () => {
        const first = await newSession();
        const second = await pairOf(await refresh(first.refreshToken));
        await age(sessionOf(first), 60);
        const [session, counter, seed = '', mac] = second.refreshToken.split('.');
        const other = await newSession();
        // With the key that the database has, too: the session's seed is the client's alone.
        const ours = createRefreshTokens(testAccountKey);
        const forged = [
          [session, '2', seed, mac],
          [session, '0', seed, mac],
          [session, counter, seed.replace(/.$/, seed.endsWith('A') ? 'B' : 'A'), mac],
          [sessionOf(other), counter, seed, mac],
          [session, counter, seed],
          [session, counter, seed, mac, ''],
          [session, `0${counter}`, seed, mac],
          ...[0, 1, 2].map((counter) => [
            ours.write({ sessionId: sessionOf(first), counter, seed: newSeed() }),
          ]),
        ].map((parts) => parts.join('.'));
        for (const token of forged) await expectProblem(await refresh(token), 401, 'refresh_invalid');
        await pairOf(await refresh(second.refreshToken));
        await pairOf(await refresh(other.refreshToken));
      });

      test('a token that is newer than a restored database goes on', async () => {
        const first = await newSession();
        const rowsSql = 'SELECT token_hash AS hash FROM refresh_tokens WHERE session_id = $1::uuid';
        const [before] = await base.database.query<{ hash: string }>(rowsSql, [sessionOf(first)]);
        const second = await pairOf(await refresh(first.refreshToken));
        const third = await pairOf(await refresh(second.refreshToken));
        await base.database.query(
          'UPDATE refresh_tokens SET token_hash = $2, counter = 0 WHERE session_id = $1::uuid',
          [sessionOf(first), before?.hash],
        );
        const fourth = await pairOf(await refresh(third.refreshToken));
        await age(sessionOf(first), 10);
        await pairOf(await refresh(fourth.refreshToken));
        await age(sessionOf(first), 10);
        await expectProblem(await refresh(second.refreshToken), 401, 'session_revoked');
      });

      test('a refresh moves the end of the session', async () => {
        const pair = await newSession();
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
        const pair = await newSession();
        await base.database.query(
          `UPDATE sessions SET expires_at = now() - interval '1 second' WHERE id = $1::uuid`,
          [sessionOf(pair)],
        );
        await expectProblem(await refresh(pair.refreshToken), 401, 'refresh_invalid');
        await expectProblem(await api.get('/auth/me', pair.accessToken), 401, 'session_revoked');
      });

      test('a session ends with its age, however often it is refreshed', async () => {
        const own = await createTestApi({ ...base, environment: { SESSION_MAX_TTL: '60d' } });
        const first = await own.signIn(shared);
        const [{ left: days } = { left: 0 }] = await base.database.query<{ left: number }>(
          `UPDATE sessions SET created_at = now() - interval '59 days' WHERE id = $1::uuid
          RETURNING extract(day FROM expires_at - now())::int AS left`,
          [sessionOf(first)],
        );
        expect(days).toBe(29);
        const next = await pairOf(await own.post('/auth/refresh', { refreshToken: first.refreshToken }));
        const [{ left: seconds } = { left: 0 }] = await base.database.query<{ left: number }>(
          'SELECT extract(epoch FROM expires_at - now())::int AS left FROM sessions WHERE id = $1::uuid',
          [sessionOf(first)],
        );
        expect(seconds).toBeWithin(86_000, 86_401);
        await base.database.query(
          `UPDATE sessions SET created_at = now() - interval '60 days' WHERE id = $1::uuid`,
          [sessionOf(first)],
        );
        const over = await own.post('/auth/refresh', { refreshToken: next.refreshToken });
        await expectProblem(over, 401, 'refresh_invalid');
      });

      test('a session is no older than it may be from its first day on', async () => {
        const own = await createTestApi({ ...base, environment: { SESSION_MAX_TTL: '2d' } });
        const [{ left } = { left: 0 }] = await base.database.query<{ left: number }>(
          'SELECT extract(epoch FROM expires_at - now())::int AS left FROM sessions WHERE id = $1::uuid',
          [sessionOf(await own.signIn(shared))],
        );
        expect(left).toBeWithin(172_000, 172_801);
      });
    });

    describe('tokens of the version before', () => {
      /** As that version kept them: one row a token, its hash alone. */
      const issue = async (sessionId: string): Promise<string> => {
        const token = randomBytes(32).toString('base64url');
        await base.database.query(
          'INSERT INTO refresh_tokens (token_hash, session_id) VALUES ($1, $2::uuid)',
          [hashRefreshToken(token), sessionId],
        );
        return token;
      };
      /** What that version does with a token, and what it gives for it. */
      const exchangeThere = async (token: string): Promise<string> => {
        const used = await base.database.query<{ sessionId: string }>(
          `UPDATE refresh_tokens SET used_at = coalesce(used_at, clock_timestamp()) WHERE token_hash = $1
          RETURNING session_id AS "sessionId"`,
          [hashRefreshToken(token)],
        );
        expect(used).toHaveLength(1);
        return issue(used[0]!.sessionId);
      };
      /** A session of that version, with one token. */
      const signUpThere = async () => {
        const pair = await newSession();
        const sessionId = sessionOf(pair);
        await base.database.query('DELETE FROM refresh_tokens WHERE session_id = $1::uuid', [sessionId]);
        return { sessionId, token: await issue(sessionId), accessToken: pair.accessToken };
      };

      test('are good for one exchange, and what they give is refreshed in its turn', async () => {
        const { sessionId, token } = await signUpThere();
        const first = await pairOf(await refresh(token));
        expect(sessionOf(first)).toBe(sessionId);
        await age(sessionId, 10);
        const second = await pairOf(await refresh(first.refreshToken));
        await expectProblem(await refresh(token), 401, 'session_revoked');
        await expectProblem(await refresh(second.refreshToken), 401, 'session_revoked');
      });

      test('ten at once get the same next token', async () => {
        const { token } = await signUpThere();
        const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(token)));
        const pairs = await Promise.all(answers.map(pairOf));
        expect(new Set(pairs.map((pair) => pair.refreshToken)).size).toBe(1);
        await pairOf(await refresh(pairs[0]!.refreshToken));
        // Its next one has been exchanged: whoever has this one is somebody else.
        await expectProblem(await refresh(token), 401, 'session_revoked');
      });

      test('two tabs that have one each go on side by side in their session', async () => {
        const { sessionId, token } = await signUpThere();
        let tabs = await Promise.all([
          pairOf(await refresh(token)),
          pairOf(await refresh(await issue(sessionId))),
        ]);
        for (let time = 0; time < 3; time += 1) {
          await age(sessionId, 60);
          tabs = [
            await pairOf(await refresh(tabs[0].refreshToken)),
            await pairOf(await refresh(tabs[1].refreshToken)),
          ];
        }
        expect(tabs.map(sessionOf)).toEqual([sessionId, sessionId]);
        await api.post('/auth/logout', undefined, tabs[0].accessToken);
        await expectProblem(await refresh(tabs[1].refreshToken), 401, 'session_revoked');
      });

      test('are forgotten once they have expired', async () => {
        const { sessionId, token } = await signUpThere();
        for (let time = 0; time < 3; time += 1) await issue(sessionId);
        await age(sessionId, 31 * 24 * 3600);
        await pairOf(await refresh(token));
        const sql = 'SELECT 1 FROM refresh_tokens WHERE session_id = $1::uuid';
        expect(await base.database.query(sql, [sessionId])).toHaveLength(2);
      });

      test('processes of both versions side by side: a session goes from one to the other and back', async () => {
        const first = await newSession();
        const second = await pairOf(await refresh(first.refreshToken));
        const there = await exchangeThere(second.refreshToken);
        const third = await pairOf(await refresh(there));
        const fourth = await pairOf(await refresh(await exchangeThere(third.refreshToken)));
        expect(sessionOf(fourth)).toBe(sessionOf(first));
        // A tab that comes to the other version within the 10 s.
        await pairOf(await refresh(third.refreshToken));
        await age(sessionOf(first), 10);
        await expectProblem(await refresh(second.refreshToken), 401, 'session_revoked');
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

      test('a user is found by the email as people write it', async () => {
        const name = crypto.randomUUID().slice(0, 8);
        const written = `O'Brien+${name}@Bücher.Example`;
        const kept = `o'brien+${name}@xn--bcher-kva.example`;
        const made = await userOf(
          await api.post('/auth/register', { email: written, password: testPassword }),
        );
        expect([made.email, made.displayName]).toEqual([kept, `o'brien+${name}`]);
        const { accessToken } = await api.signIn(kept);
        const queries = [written, kept, kept.toUpperCase()].map(encodeURIComponent);
        // Without encoding, too: in a query a + is a space, and an address has none.
        queries.push(kept, ` ${kept.replace('@', '%40')} `);
        for (const query of queries) {
          const answer = await api.get(`/users?email=${query}`, accessToken);
          expect(await answer.json()).toEqual({ data: [made] });
        }
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
