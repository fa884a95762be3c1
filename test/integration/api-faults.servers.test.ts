import { afterAll, afterEach, describe, expect, test } from 'bun:test';
import { openPostgres } from '../../src/db/postgres.ts';
import { type MessageToStore, storeMessages } from '../../src/db/queries/store-messages.ts';
import type { Problem } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { createLog } from '../../src/shared/log.ts';
import { storeBatch } from '../../src/worker/store-batch.ts';
import { createTestApi, testPassword } from '../support/api.ts';
import { realBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

/** The api while what it stands on is frozen (connections open, nobody answers) or gone. */

const servers = await realServers();
const [postgres, redis] = await Promise.all([servers.createPostgres(), servers.createRedis()]);
const base = await realBase({ databaseUrl: postgres.url, redisUrl: redis.url });
const { call, get, post, signUp, signIn } = await createTestApi(base);

const timed = async (ask: () => Promise<Response>) => {
  const startedAt = runningMs();
  const answer = await ask();
  return { answer, ms: runningMs() - startedAt };
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

describe('PostgreSQL is there, and not as it should be', async () => {
  const admin = openPostgres({ url: postgres.url, applicationName: 'confab-test', maxConnections: 1 });
  await admin.query(`CREATE ROLE theirs LOGIN PASSWORD 'theirs'`, []);
  await admin.query('CREATE DATABASE theirs OWNER theirs', []);
  const databaseUrl = postgres.url.replace(/postgres:postgres@(.*)chat$/, 'theirs:theirs@$1theirs');
  const theirs = openPostgres({
    url: postgres.url.replace(/chat$/, 'theirs'),
    applicationName: 'confab-test',
    maxConnections: 1,
  });
  afterAll(async () => {
    await theirs.close();
    await admin.close();
  });
  const lines: { code?: string; reason?: string }[] = [];
  const log = createLog({ logLevel: 'warn' }, 'test', { write: (line) => void lines.push(JSON.parse(line)) });
  const api = await createTestApi({ ...(await realBase({ databaseUrl, redisUrl: redis.url })), log });

  /** As is needed before a database can be renamed, and for whoever is to log in again. */
  const cut = () =>
    admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'theirs'`, []);

  test('a batch waits for it as well: nothing becomes a dead letter', async () => {
    const database = openPostgres({ url: databaseUrl, applicationName: 'confab-test', maxConnections: 1 });
    const store = (batch: readonly MessageToStore[]) => storeMessages(database, batch);
    const ids = { chatId: newId(), senderId: newId(), brokerMessageId: newId(), clientMessageId: newId() };
    await theirs.query('REVOKE ALL ON chats FROM theirs', []);
    let tries = 0;
    const counted: typeof store = (batch) => {
      tries += 1;
      return store(batch);
    };
    const storing = storeBatch(
      {
        stores: { gather: counted, alone: counted, work: async () => true },
        ...{ maxRetries: 0, log: createLog({ logLevel: 'silent' }, 'test') },
        ...{ leaving: new AbortController().signal, current: () => true, onRetry() {} },
      },
      [{ ...ids, content: 'to nobody', sentAt: new Date().toISOString() }],
    );
    await eventually('it was tried again', () => tries > 2);
    await theirs.query('GRANT ALL ON chats TO theirs', []);
    expect(await storing).toEqual([expect.objectContaining({ outcome: 'chat_not_found' })]);
    await database.close();
  });

  test.each<[string, string, () => Promise<unknown>, () => Promise<unknown>]>([
    [
      'a permission that was revoked',
      'permission denied for table users (SQLSTATE 42501)',
      () => theirs.query('REVOKE ALL ON users FROM theirs', []),
      () => theirs.query('GRANT ALL ON users TO theirs', []),
    ],
    [
      'a table that is not there',
      'relation "users" does not exist (SQLSTATE 42P01)',
      () => theirs.query('ALTER TABLE users RENAME TO people', []),
      () => theirs.query('ALTER TABLE people RENAME TO users', []),
    ],
    [
      'a password that was changed',
      'password authentication failed for user "theirs" (SQLSTATE 28P01)',
      () => admin.query(`ALTER ROLE theirs PASSWORD 'other'`, []).then(cut),
      () => admin.query(`ALTER ROLE theirs PASSWORD 'theirs'`, []),
    ],
    [
      'no connection that is left',
      'too many connections for role "theirs" (SQLSTATE 53300)',
      () => admin.query('ALTER ROLE theirs CONNECTION LIMIT 0', []).then(cut),
      () => admin.query('ALTER ROLE theirs CONNECTION LIMIT -1', []),
    ],
    [
      'a database that is gone',
      'database "theirs" does not exist (SQLSTATE 3D000)',
      async () => {
        await theirs.close();
        await cut();
        await admin.query('ALTER DATABASE theirs RENAME TO elsewhere', []);
      },
      () => admin.query('ALTER DATABASE elsewhere RENAME TO theirs', []),
    ],
  ])('%s: 503 with its reason in the log, until it is mended', async (_, reason, harm, mend) => {
    const { accessToken } = await api.signUp();
    const me = async () => {
      const answer = await api.get('/auth/me', accessToken);
      return { status: answer.status, code: ((await answer.json()) as Problem).code };
    };
    expect((await me()).status).toBe(200);
    lines.length = 0;
    await harm();
    try {
      await eventually('its reason is in the log', async () => {
        const { status, code } = await me();
        // The one that was being cut may still answer.
        if (status !== 200) expect({ status, code }).toEqual({ status: 503, code: 'database_unavailable' });
        return lines.some((line) => line.reason === reason && line.code === 'database_unavailable');
      });
    } finally {
      await mend();
    }
    await eventually('it answers again', async () => (await me()).status === 200);
  });
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
