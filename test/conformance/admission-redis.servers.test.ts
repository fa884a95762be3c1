import { afterAll, describe, expect, test } from 'bun:test';
import type { Redis } from 'ioredis';
import type { Breaker } from '../../src/adapters/redis/breaker.ts';
import { createRedisFacts } from '../../src/adapters/redis/facts.ts';
import { createRedisRateLimits } from '../../src/adapters/redis/rate-limits.ts';
import { type AdmissionRedis, createAdmissionRedis } from '../../src/adapters/redis/redis-turn.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { factTtlMs } from '../../src/shared/ports/admission.ts';
import { eventually } from '../support/eventually.ts';
import { openTestRedis, patientBreaker } from '../support/redis.ts';
import { realServers } from '../support/servers.ts';
import { admissionConformance, generous, newFact } from './admission.ts';

const servers = await realServers();
const clients: Redis[] = [];
afterAll(() => {
  for (const client of clients) client.disconnect();
});

/** As the api's own. */
async function connected(url: string, breaker?: Breaker): Promise<AdmissionRedis> {
  const client = await openTestRedis(url);
  clients.push(client);
  return createAdmissionRedis(client, createMetrics(), breaker);
}

const patient = () => connected(servers.redisUrl, patientBreaker());

const secret = 'a secret of this test';
const prefix = () => `test-${crypto.randomUUID()}`;

admissionConformance(
  'Redis',
  async (options) => createRedisFacts(await patient(), prefix(), options),
  async (limits) => createRedisRateLimits(await patient(), prefix(), limits, secret),
);

describe('two processes', () => {
  test('know the same facts and share the limits', async () => {
    const name = prefix();
    const [one, two] = [await patient(), await patient()];
    const fact = newFact();
    await createRedisFacts(one, name).fill([fact]);
    await createRedisFacts(two, name).revoke([fact]);
    expect(await createRedisFacts(one, name).read([fact])).toEqual([false]);

    const limits = [one, two].map((client) =>
      createRedisRateLimits(client, name, { ...generous, user: 2 }, secret),
    );
    const take = [{ limit: 'user', key: 'ann' }] as const;
    await limits[0]!.consume(take);
    await limits[1]!.consume(take);
    await expect(limits[0]!.consume(take)).rejects.toMatchObject({ code: 'rate_limited' });
    await expect(limits[1]!.consume(take)).rejects.toMatchObject({ code: 'rate_limited' });
  });

  test('every key lives in Redis for its time alone', async () => {
    const name = prefix();
    const client = await patient();
    const facts = createRedisFacts(client, name);
    await facts.fill([newFact()]);
    await facts.revoke([newFact()]);
    const limits = createRedisRateLimits(client, name, generous, secret);
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
  const processes = [await patient(), await patient()].map((client) =>
    createRedisRateLimits(client, name, { ...generous, login: 2, address: 2 }, secret),
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
  // Of the prefix, which is random, any digits may be part.
  const keys = (await looking.keys(`${name}:*`)).map((key) => key.slice(name.length));
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
  const client = await patient();
  const looking = await openTestRedis(servers.redisUrl);
  await looking.set(`${name}:limit:user:ann`, '7');
  const limits = createRedisRateLimits(client, name, { ...generous, user: 5 }, secret);
  const refused = limits.consume([{ limit: 'user', key: 'ann' }]);
  await expect(refused).rejects.toMatchObject({ code: 'rate_limited', retryAfterSeconds: 60 });
  expect(await looking.pttl(`${name}:limit:user:ann`)).toBeGreaterThan(50_000);
  looking.disconnect();
});

test('a window keeps its end, however often it is taken from', async () => {
  const name = prefix();
  const looking = await openTestRedis(servers.redisUrl);
  const limits = createRedisRateLimits(await patient(), name, generous, secret);
  const take = () => limits.consume([{ limit: 'user', key: 'ann' }]);
  await take();
  await looking.pexpire(`${name}:limit:user:ann`, 30_000);
  await take();
  expect(await looking.pttl(`${name}:limit:user:ann`)).toBeWithin(1, 30_001);
  looking.disconnect();
});

test('thousands of questions of one turn are answered, each its own', async () => {
  const facts = createRedisFacts(await patient(), prefix());
  const known = Array.from({ length: 12_000 }, newFact);
  await facts.fill(known.filter((_, at) => at % 3 === 0));
  const answers = await Promise.all(known.map((fact) => facts.read([fact])));
  expect(answers.flat()).toEqual(known.map((_, at) => (at % 3 === 0 ? true : undefined)));
});

describe('Redis away', () => {
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
