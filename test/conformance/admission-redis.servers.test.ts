import { afterAll, describe, expect, test } from 'bun:test';
import type { AdmissionRedis, AdmissionTimes } from '../../src/adapters/redis/admission-client.ts';
import { createRedisFacts } from '../../src/adapters/redis/facts.ts';
import { createRedisRateLimits } from '../../src/adapters/redis/rate-limits.ts';
import { factTtlMs } from '../../src/shared/ports/admission.ts';
import { eventually } from '../support/eventually.ts';
import { openTestAdmission, openTestRedis, patientBreaker } from '../support/redis.ts';
import { realServers } from '../support/servers.ts';
import { admissionConformance, generous, newFact } from './admission.ts';

const servers = await realServers();
const clients: AdmissionRedis[] = [];
afterAll(() => {
  for (const client of clients) client.close();
});

/** As the api's own. */
function openClient(url: string, times?: AdmissionTimes): AdmissionRedis {
  const client = openTestAdmission(url, times);
  clients.push(client);
  return client;
}

async function connected(url: string, times?: AdmissionTimes): Promise<AdmissionRedis> {
  const client = openClient(url, times);
  await client.ready(5_000);
  return client;
}

const secret = 'a secret of this test';
const prefix = () => `test-${crypto.randomUUID()}`;

admissionConformance(
  'Redis',
  async (options) =>
    createRedisFacts(await connected(servers.redisUrl), prefix(), { ...options, breaker: patientBreaker() }),
  async (limits) =>
    createRedisRateLimits(await connected(servers.redisUrl), prefix(), limits, secret, patientBreaker()),
);

describe('two processes', () => {
  test('know the same facts and share the limits', async () => {
    const name = prefix();
    const [one, two] = [await connected(servers.redisUrl), await connected(servers.redisUrl)];
    const fact = newFact();
    const patient = { breaker: patientBreaker() };
    await createRedisFacts(one, name, patient).fill([fact]);
    await createRedisFacts(two, name, patient).revoke([fact]);
    expect(await createRedisFacts(one, name, patient).read([fact])).toEqual([false]);

    const limits = [one, two].map((client) =>
      createRedisRateLimits(client, name, { ...generous, user: 2 }, secret, patientBreaker()),
    );
    const take = [{ limit: 'user', key: 'ann' }] as const;
    await limits[0]!.consume(take);
    await limits[1]!.consume(take);
    await expect(limits[0]!.consume(take)).rejects.toMatchObject({ code: 'rate_limited' });
    await expect(limits[1]!.consume(take)).rejects.toMatchObject({ code: 'rate_limited' });
  });

  test('every key lives in Redis for its time alone', async () => {
    const name = prefix();
    const client = await connected(servers.redisUrl);
    const breaker = patientBreaker();
    const facts = createRedisFacts(client, name, { breaker });
    await facts.fill([newFact()]);
    await facts.revoke([newFact()]);
    const limits = createRedisRateLimits(client, name, generous, secret, breaker);
    await limits.consume([{ limit: 'user', key: 'ann' }]);
    const looking = await openTestRedis(servers.redisUrl);
    const keys = await looking.keys(`${name}:*`);
    expect(keys).toHaveLength(3);
    for (const key of keys) {
      const ttl = await looking.pttl(key);
      expect(ttl).toBeGreaterThan(0);
      expect(ttl).toBeLessThanOrEqual(key.includes(':fact:') ? factTtlMs : 60_000);
    }
    looking.disconnect();
  });
});

test('what people are known by is in no key, and counts all the same in every process', async () => {
  const name = prefix();
  const processes = [await connected(servers.redisUrl), await connected(servers.redisUrl)].map((client) =>
    createRedisRateLimits(client, name, { ...generous, login: 2, address: 2 }, secret, patientBreaker()),
  );
  const [email, address] = ['ann.o’hara@example.com', '203.0.113.7'];
  const takes = [
    { limit: 'login', key: `email:${email}` },
    { limit: 'login', key: `address:${address}` },
    { limit: 'address', key: address },
  ] as const;
  for (const { consume } of processes) await consume(takes);
  for (const take of takes) {
    for (const { consume } of processes)
      await expect(consume([take])).rejects.toMatchObject({ code: 'rate_limited' });
  }

  const looking = await openTestRedis(servers.redisUrl);
  const keys = await looking.keys(`${name}:*`);
  expect(keys).toHaveLength(takes.length);
  expect(keys.join(' ')).not.toMatch(/ann|example|203|email|address:address/);
  // Nor to be found by hashing all that there is.
  const hashes = (['sha256', 'sha1', 'md5'] as const).flatMap((algorithm) =>
    (['hex', 'base64url'] as const).flatMap((encoding) =>
      takes.map(({ key }) => new Bun.CryptoHasher(algorithm).update(key).digest(encoding).slice(0, 16)),
    ),
  );
  for (const hash of hashes) expect(keys.join(' ')).not.toContain(hash);
  looking.disconnect();
});

test('a window whose end was never set gets one, and refuses nobody for ever', async () => {
  const name = prefix();
  const client = await connected(servers.redisUrl);
  const looking = await openTestRedis(servers.redisUrl);
  await looking.set(`${name}:limit:user:ann`, '7');
  const limits = createRedisRateLimits(client, name, { ...generous, user: 5 }, secret, patientBreaker());
  const refused = limits.consume([{ limit: 'user', key: 'ann' }]);
  await expect(refused).rejects.toMatchObject({ code: 'rate_limited', retryAfterSeconds: 60 });
  expect(await looking.pttl(`${name}:limit:user:ann`)).toBeGreaterThan(50_000);
  looking.disconnect();
});

describe('Redis away', () => {
  test('not there yet: who waits from the start has it once it comes, and who asks meanwhile too', async () => {
    const redis = await servers.createRedis();
    await redis.kill();
    const client = openClient(redis.url);
    const waiting = client.ready(10_000);
    await expect(client.ready(300)).rejects.toThrow('not ready within 300 ms');
    await redis.restart();
    await Promise.all([waiting, client.ready(10_000)]);
    expect(client.connected).toBe(true);
  }, 20_000);

  test('frozen: one question waits a moment, the next ones do not; later it is asked again', async () => {
    const redis = await servers.createRedis();
    const client = await connected(redis.url);
    const facts = createRedisFacts(client, prefix());
    const limits = createRedisRateLimits(client, prefix(), { ...generous, user: 5 }, secret);
    const fact = newFact();
    await facts.fill([fact]);

    await redis.pause();
    expect(await timed(() => facts.read([fact]))).toEqual({ answer: [undefined], fast: true });
    const further = await timed(async () => {
      for (let at = 0; at < 50; at += 1) await facts.read([fact]);
    });
    expect(further.fast).toBe(true);
    await facts.fill([fact]);
    await facts.restore([newFact()]);
    await facts.revoke([newFact()]);

    const take = [{ limit: 'user', key: 'ann' }] as const;
    for (let at = 0; at < 5; at += 1) await limits.consume(take);
    await expect(limits.consume(take)).rejects.toMatchObject({ code: 'rate_limited' });

    await redis.resume();
    await eventually('it knows again', async () => (await facts.read([fact]))[0] === true);
  });

  test('frozen for long: the connection is given up, and there is another once it answers', async () => {
    const redis = await servers.createRedis();
    const client = await connected(redis.url, { heartbeatMs: 100, deafAfterMs: 1_000 });
    const states: boolean[] = [];
    await eventually('a quiet connection stays, for it is asked now and then', async () => {
      states.push(client.connected);
      return states.length > 150;
    });
    expect(new Set(states)).toEqual(new Set([true]));
    await redis.pause();
    await eventually('the silent connection is given up', () => !client.connected);
    await redis.resume();
    await eventually('there is another', () => client.connected);
    expect(await client.mget(['nothing'])).toEqual([null]);
  }, 20_000);

  test('killed: nothing throws, nothing waits, and it knows again after a restart', async () => {
    const redis = await servers.createRedis();
    const client = await connected(redis.url);
    const facts = createRedisFacts(client, prefix());
    const limits = createRedisRateLimits(client, prefix(), { ...generous, user: 1 }, secret);
    await redis.kill();
    const fact = newFact();
    const { answer, fast } = await timed(() => facts.read([fact]));
    expect({ answer, fast }).toEqual({ answer: [undefined], fast: true });
    await facts.fill([fact]);
    await facts.revoke([fact]);
    await limits.consume([{ limit: 'user', key: 'ann' }]);
    await expect(limits.consume([{ limit: 'user', key: 'ann' }])).rejects.toMatchObject({
      code: 'rate_limited',
    });

    const guess = { limit: 'guesses', key: 'ann@example.com', points: 3 } as const;
    expect(await limits.count(guess)).toBe(3);
    await limits.giveBack([guess]);
    expect(await limits.count(guess)).toBe(3);

    await redis.restart();
    await eventually('it can be filled again', async () => {
      await facts.fill([fact]);
      return (await facts.read([fact]))[0] === true;
    });
  }, 20_000);
});

/** `fast`: well below the second that a client's command may take. */
async function timed<Answer>(work: () => Promise<Answer>): Promise<{ answer: Answer; fast: boolean }> {
  const startedAt = performance.now();
  const answer = await work();
  return { answer, fast: performance.now() - startedAt < 600 };
}
