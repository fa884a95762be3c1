import { expect, setSystemTime, test } from 'bun:test';
import type { Identity, VerifyToken } from '../../src/auth/authenticate.ts';
import { rememberVerified } from '../../src/auth/remember-verified.ts';
import { ChatError } from '../../src/shared/errors.ts';

const soon = () => Math.floor(Date.now() / 1000) + 900;

/** Verifies whatever does not begin with "bad", and keeps count. */
function counting(expiresAt = soon()) {
  const asked: (string | undefined)[] = [];
  const verify: VerifyToken = async (token) => {
    asked.push(token);
    if (token === undefined || token.startsWith('bad')) throw new ChatError('token_invalid');
    const identity: Identity = { userId: `user of ${token}`, sessionId: 'a session', expiresAt };
    return identity;
  };
  return { asked, verify };
}

const codeOf = (verifying: Promise<unknown>) =>
  verifying.then(
    () => 'verified',
    (error: unknown) => (error as ChatError).code,
  );

test('a token is verified once, and each has its own identity', async () => {
  const { asked, verify } = counting();
  const remembering = rememberVerified(verify);
  for (const token of ['one', 'two', 'one', 'two', 'one']) {
    expect((await remembering(token)).userId).toBe(`user of ${token}`);
  }
  expect(asked).toEqual(['one', 'two']);
});

test('what is refused is refused again, and never remembered', async () => {
  const { asked, verify } = counting();
  const remembering = rememberVerified(verify, { maxTokens: 1 });
  await remembering('good');
  for (const token of ['bad', 'bad', undefined]) {
    expect(await codeOf(remembering(token))).toBe('token_invalid');
  }
  await remembering('good');
  expect(asked).toEqual(['good', 'bad', 'bad', undefined]);
});

test('a remembered token expires to the second', async () => {
  const expiresAt = soon();
  const { verify } = counting(expiresAt);
  const remembering = rememberVerified(verify, { maxAgeMs: Number.POSITIVE_INFINITY });
  try {
    setSystemTime(expiresAt * 1000 - 1);
    expect(await codeOf(remembering('one'))).toBe('verified');
    setSystemTime(expiresAt * 1000);
    expect(await codeOf(remembering('one'))).toBe('token_expired');
  } finally {
    setSystemTime();
  }
});

test('after a while it is verified anew, however often it is used', async () => {
  const { asked, verify } = counting();
  const remembering = rememberVerified(verify, { maxAgeMs: 1_000 });
  const start = Date.now();
  try {
    for (const passed of [0, 400, 800, 999, 1_000, 1_500]) {
      setSystemTime(start + passed);
      await remembering('one');
    }
  } finally {
    setSystemTime();
  }
  expect(asked).toEqual(['one', 'one']);
});

test('as many as allowed are kept: the least recently used goes first', async () => {
  const { asked, verify } = counting();
  const remembering = rememberVerified(verify, { maxTokens: 2 });
  for (const token of ['one', 'two', 'one', 'three', 'one', 'two']) await remembering(token);
  expect(asked).toEqual(['one', 'two', 'three', 'two']);
});

test('a very long token is verified every time', async () => {
  const { asked, verify } = counting();
  const remembering = rememberVerified(verify);
  const long = 'x'.repeat(2_049);
  await remembering(long);
  await remembering(long);
  expect(asked).toHaveLength(2);
});
