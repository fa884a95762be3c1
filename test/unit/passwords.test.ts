import { expect, test } from 'bun:test';
import { createPasswords } from '../../src/auth/passwords.ts';
import { ChatError } from '../../src/shared/errors.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';

const asker = { member: '192.0.2.1', group: '192.0.2.1', known: false };
const codeOf = (error: unknown) => (error instanceof ChatError ? error.code : error);

test('a password is right against its own hash alone', async () => {
  const passwords = createPasswords({ metrics: createMetrics() });
  const hash = await passwords.hash('correct horse', asker);
  expect(hash).toStartWith('$argon2id$v=19$m=65536,t=2,p=1$');
  expect(await passwords.verify('correct horse', hash, asker)).toBe(true);
  expect(await passwords.verify('correct house', hash, asker)).toBe(false);
});

test('a password is the same however a keyboard composes it', async () => {
  const passwords = createPasswords({ metrics: createMetrics() });
  const hash = await passwords.hash('caf\u00e9 au lait', asker);
  expect(await passwords.verify('cafe\u0301 au lait', hash, asker)).toBe(true);
});

test('where there is no hash no password is right, and saying so costs as much', async () => {
  const passwords = createPasswords({ metrics: createMetrics() });
  const hash = await passwords.hash('correct horse', asker);
  const timeOf = async (work: () => Promise<unknown>) => {
    const startedAt = performance.now();
    await work();
    return performance.now() - startedAt;
  };
  const fastestOf = async (work: () => Promise<unknown>) =>
    Math.min(await timeOf(work), await timeOf(work), await timeOf(work));
  expect(await passwords.verify('correct horse', undefined, asker)).toBe(false);
  const known = await fastestOf(() => passwords.verify('wrong', hash, asker));
  const unknown = await fastestOf(() => passwords.verify('wrong', null, asker));
  expect(unknown).toBeGreaterThan(known / 2);
});

test('who finds the queue full is told at once, and those in it are served', async () => {
  const passwords = createPasswords({
    metrics: createMetrics(),
    concurrency: 1,
    maxWaiting: 2,
    maxWaitMs: 60_000,
  });
  const answers = await Promise.allSettled([1, 2, 3, 4].map(() => passwords.hash('correct horse', asker)));
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
  const [refused] = answers.filter((answer) => answer.status === 'rejected');
  expect(refused?.reason).toMatchObject({ code: 'server_busy', retryAfterSeconds: 2 });
});

test('who waits too long is told, and leaves no place behind', async () => {
  const passwords = createPasswords({
    metrics: createMetrics(),
    concurrency: 1,
    maxWaiting: 1,
    maxWaitMs: 1,
  });
  const first = passwords.hash('correct horse', asker);
  expect(codeOf(await passwords.hash('correct horse', asker).catch((error) => error))).toBe('server_busy');
  await first;
  expect(await passwords.hash('correct horse', asker)).toStartWith('$argon2id$');
});
