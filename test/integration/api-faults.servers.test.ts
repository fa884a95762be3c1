import { afterEach, describe, expect, test } from 'bun:test';
import type { Problem } from '../../src/shared/contract.ts';
import { createTestApi, testPassword } from '../support/api.ts';
import { realBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import { realServers } from '../support/servers.ts';

/** The api while what it stands on is frozen (connections open, nobody answers) or gone. */

const servers = await realServers();
const [postgres, redis] = await Promise.all([servers.createPostgres(), servers.createRedis()]);
const base = await realBase({ databaseUrl: postgres.url, redisUrl: redis.url });
const { call, get, post, signUp, signIn } = await createTestApi(base);

const timed = async (ask: () => Promise<Response>) => {
  const startedAt = performance.now();
  const answer = await ask();
  return { answer, ms: performance.now() - startedAt };
};
const expectUnavailable = async (ask: () => Promise<Response>) => {
  const { answer, ms } = await timed(ask);
  expect(((await answer.json()) as Problem).code).toBe('database_unavailable');
  expect(answer.status).toBe(503);
  expect(answer.headers.has('retry-after')).toBe(true);
  expect(ms).toBeLessThan(5_000);
};

describe('PostgreSQL', () => {
  test('frozen: every route that needs it says 503 within 5 s, and all is well when it thaws', async () => {
    const { email, accessToken, refreshToken } = await signUp();
    expect((await get('/auth/me', accessToken)).status).toBe(200);
    await postgres.pause();
    try {
      await Promise.all([
        expectUnavailable(() => get('/auth/me', accessToken)),
        expectUnavailable(() => post('/auth/login', { email, password: testPassword })),
        expectUnavailable(() => post('/auth/register', { email: 'x@example.com', password: testPassword })),
        expectUnavailable(() => post('/auth/refresh', { refreshToken })),
        expectUnavailable(() => post('/auth/logout', undefined, accessToken)),
        expectUnavailable(() => get(`/users?email=${email}`, accessToken)),
        expect(get('/auth/me', 'garbage').then(({ status }) => status)).resolves.toBe(401),
      ]);
    } finally {
      await postgres.resume();
    }
    await eventually('it answers again', async () => {
      const answer = await post('/auth/login', { email, password: testPassword });
      return answer.status === 200;
    });
  }, 30_000);

  test('gone: 503 soon, and all is well when it is back', async () => {
    const { accessToken, email } = await signUp();
    await postgres.kill();
    await expectUnavailable(() => get('/auth/me', accessToken));
    await postgres.restart();
    await eventually('it answers again', async () => (await get('/auth/me', accessToken)).status === 200);
    await signIn(email);
  }, 60_000);
});

describe('Redis', () => {
  afterEach(async () => {
    await redis.resume();
  });

  test('frozen: everything is served from PostgreSQL, and a sign-out is a sign-out', async () => {
    const { accessToken, refreshToken } = await signUp();
    await redis.pause();
    for (let time = 0; time < 3; time += 1) {
      const { answer, ms } = await timed(() => get('/auth/me', accessToken));
      expect(answer.status).toBe(200);
      expect(ms).toBeLessThan(2_000);
    }
    expect((await post('/auth/refresh', { refreshToken })).status).toBe(200);
    const { answer, ms } = await timed(() => post('/auth/logout', undefined, accessToken));
    expect(answer.status).toBe(204);
    expect(ms).toBeLessThan(5_000);
    expect((await get('/auth/me', accessToken)).status).toBe(401);
  }, 30_000);

  test('gone: the same', async () => {
    const { accessToken } = await signUp();
    await redis.kill();
    expect((await get('/auth/me', accessToken)).status).toBe(200);
    expect((await call('POST', '/auth/logout', undefined, { token: accessToken })).status).toBe(204);
    expect((await get('/auth/me', accessToken)).status).toBe(401);
    await redis.restart();
  }, 30_000);
});
