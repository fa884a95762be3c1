import { describe, expect, test } from 'bun:test';
import { decode, sign } from 'hono/jwt';
import { createOwnSignature } from '../../src/auth/own-signature.ts';
import { createOwnTokens, type OwnTokens } from '../../src/auth/tokens.ts';
import { parseConfig } from '../../src/shared/config.ts';
import type { ChatError } from '../../src/shared/errors.ts';
import { readText } from '../support/repository.ts';

const secret = 'a secret of this test, longer than 32 bytes';
const options = { secret, issuer: 'confab', audience: 'confab', accessTtlSeconds: 900 };
const identity = { userId: crypto.randomUUID(), sessionId: crypto.randomUUID() };
const tokens = await createOwnTokens(options);
const token = await tokens.sign(identity);
const [header = '', payload = '', signature = ''] = token.split('.');
const payloadOf = createOwnSignature([secret]);

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const hmac = (text: string, algorithm: 'sha256' | 'sha512' = 'sha256', by = secret) =>
  new Bun.CryptoHasher(algorithm, by).update(text).digest('base64url');
const signed = (head: unknown, body: string) => `${part(head)}.${body}.${hmac(`${part(head)}.${body}`)}`;
const hs256 = { alg: 'HS256', typ: 'JWT' };
const outcomeOf = (given: string) =>
  tokens.verify(given).then(
    ({ userId }) => userId,
    (error: unknown) => (error as ChatError).code,
  );

test('a token of our own is read at once, again and again', async () => {
  const claims = { sub: identity.userId, sid: identity.sessionId, iss: 'confab', aud: 'confab' };
  for (let time = 0; time < 3; time += 1) expect(payloadOf(token)).toMatchObject(claims);
  expect(await outcomeOf(token)).toBe(identity.userId);
});

const forged: [string, string][] = [
  ['another signature', `${header}.${payload}.${signature.slice(0, -4)}AAAA`],
  ['no signature', `${header}.${payload}.`],
  ['no third part', `${header}.${payload}`],
  ['four parts', `${header}.${payload}.${payload}.${signature}`],
  ['an empty payload', `${header}..${hmac(`${header}.`)}`],
  ['another payload', `${header}.${part({ sub: identity.userId })}.${signature}`],
  ['another secret', `${header}.${payload}.${hmac(`${header}.${payload}`, 'sha256', 'another secret')}`],
  ['alg none', `${part({ alg: 'none', typ: 'JWT' })}.${payload}.`],
  ['alg none, and signed', signed({ alg: 'none', typ: 'JWT' }, payload)],
  ['the name of another algorithm', signed({ alg: 'HS512', typ: 'JWT' }, payload)],
  [
    'another algorithm',
    `${part({ alg: 'HS512', typ: 'JWT' })}.${payload}.${hmac(`${part({ alg: 'HS512', typ: 'JWT' })}.${payload}`, 'sha512')}`,
  ],
  ['another kind of token', signed({ alg: 'HS256', typ: 'at+jwt' }, payload)],
  ['a payload that is not JSON', signed(hs256, Buffer.from('{"sub":').toString('base64url'))],
  ['a payload that is not UTF-8', signed(hs256, Buffer.from([0x22, 0xff, 0x22]).toString('base64url'))],
  ['a payload of null', signed(hs256, part(null))],
];
test.each(forged)('%s is no token of ours', async (_, given) => {
  expect(payloadOf(given) ?? undefined).toBeUndefined();
  expect(await outcomeOf(given)).toBe('token_invalid');
});

const later = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
const claims = {
  iss: 'confab',
  aud: 'confab',
  sub: identity.userId,
  sid: identity.sessionId,
  token_use: 'access',
  exp: later(60),
};
const { exp: _exp, ...endless } = claims;
const wrong: [string, object, string][] = [
  ['expired', { ...claims, exp: later(-1) }, 'token_expired'],
  ['without an end', endless, 'token_invalid'],
  ['of another issuer', { ...claims, iss: 'another' }, 'token_invalid'],
  ['for another audience', { ...claims, aud: 'another' }, 'token_invalid'],
  ['for another use', { ...claims, token_use: 'refresh' }, 'token_invalid'],
  ['of the future', { ...claims, nbf: later(600) }, 'token_invalid'],
  ['of nobody', { ...claims, sub: { a: 1 } }, 'token_invalid'],
];
test.each(wrong)('a signed token %s is refused for it', async (_, body, code) => {
  expect(await outcomeOf(signed(hs256, part(body)))).toBe(code);
});

test('a signed token that is written another way is as good, and checked the slower way', async () => {
  const other = signed({ typ: 'JWT', alg: 'HS256' }, payload);
  expect(payloadOf(other)).toBeUndefined();
  expect(await outcomeOf(other)).toBe(identity.userId);
  const byHono = await sign(claims, secret, 'HS256');
  expect(await outcomeOf(byHono)).toBe(identity.userId);
});

test('when a token was issued is not judged, nor a start that another clock says has come', async () => {
  for (const times of [{ iat: later(3_600) }, { nbf: later(240) }, { iat: 'never' }]) {
    expect(await outcomeOf(signed(hs256, part({ ...claims, ...times })))).toBe(identity.userId);
  }
});

describe('a secret that takes the place of another', () => {
  const next = 'the secret after that one, as long as it was';
  const rotated = createOwnTokens({ ...options, secret: next, previousSecret: secret });
  const by = async (text: string, given: Promise<OwnTokens> | OwnTokens) =>
    (await given).verify(text).then(
      ({ userId }) => userId,
      (error: unknown) => (error as ChatError).code,
    );

  test('tokens of both are good, also those that name no key, and are read at once', async () => {
    const fast = createOwnSignature([next, secret]);
    const fresh = await (await rotated).sign(identity);
    const nameless = signed(hs256, payload);
    for (const text of [token, fresh, nameless]) {
      expect(fast(text)).toMatchObject({ sub: identity.userId });
      expect(await by(text, rotated)).toBe(identity.userId);
    }
    // Written another way: the slower way knows both, too.
    expect(await by(signed({ typ: 'JWT', alg: 'HS256' }, payload), rotated)).toBe(identity.userId);
  });

  test('the new one signs, and says so', async () => {
    const fresh = await (await rotated).sign(identity);
    const kid = (text: string) => decode(text).header as { kid?: string };
    expect(kid(fresh).kid).toMatch(/^[\w-]{8}$/);
    expect(kid(fresh).kid).not.toBe(kid(token).kid);
    expect(await by(fresh, tokens)).toBe('token_invalid');
    expect(await by(fresh, createOwnTokens({ ...options, secret: next }))).toBe(identity.userId);
  });

  test('one that has gone is no secret any more, whatever key a token names', async () => {
    const later = createOwnTokens({ ...options, secret: next });
    expect(await by(token, later)).toBe('token_invalid');
    const { header } = decode(await (await rotated).sign(identity));
    expect(await by(signed(header, payload), rotated)).toBe(identity.userId);
    expect(await by(signed(header, payload), later)).toBe('token_invalid');
  });

  test('step by step as an operator is told to: at every moment each process takes the tokens of all', async () => {
    const [, section = ''] = (await readText('docs/operations.md')).split('### `JWT_SECRET`\n');
    const steps = ['`JWT_SECRET=<old>`', ...(section.split('\n### ')[0]?.match(/^\d\. .*$/gm) ?? [])];
    expect(steps).toHaveLength(4);
    let environment: Record<string, string> = {};
    const processes = steps.map((step) => {
      const set = step.matchAll(/`(JWT_\w+)=<(old|new)>`/g);
      const values = set.map(([, name = '', which]) => [name, which === 'old' ? secret : next]);
      environment = { ...environment, ...Object.fromEntries(values) };
      if (step.includes('without `JWT_SECRET_PREVIOUS`')) delete environment.JWT_SECRET_PREVIOUS;
      const { auth } = parseConfig(environment);
      return createOwnTokens({ ...options, secret: auth.secret ?? '', previousSecret: auth.previousSecret });
    });
    const made = await Promise.all(processes.map(async (one) => (await one).sign(identity)));
    // Those of the step before, and of the step after, are up at the same time.
    for (const [step, process] of processes.entries())
      for (const text of made.slice(Math.max(0, step - 1), step + 2))
        expect({ step, by: await by(text, process) }).toEqual({ step, by: identity.userId });
    expect(await by(made[0]!, processes[3]!)).toBe('token_invalid');
  });
});
