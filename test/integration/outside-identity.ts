import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type JWK, SignJWT } from 'jose';
import pino from 'pino';
import { createJwksFinder } from '../../src/auth/outside-keys.ts';
import type { Problem } from '../../src/shared/contract.ts';
import { ChatError } from '../../src/shared/errors.ts';
import { createTestApi, type TestApi, userOf } from '../support/api.ts';
import type { ObservedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import { runningMs } from '../support/running-time.ts';

const issuer = 'https://id.example.com/';
const audience = 'chat';
const serviceToken = 'the service token of these tests';

interface Signer {
  key: KeyObject;
  alg: string;
  kid?: string;
}

const ed25519 = generateKeyPairSync('ed25519');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const stranger = generateKeyPairSync('ed25519');
const pemOf = (key: KeyObject) => String(key.export({ type: 'spki', format: 'pem' }));

/** A good token, but for what `changes` says; undefined takes a claim away. */
function tokenOf({ key, alg, kid }: Signer, changes: Record<string, unknown> = {}, header: object = {}) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, aud: audience, sub: 'ext|ada', iat: now, exp: now + 60, ...changes };
  return new SignJWT(claims).setProtectedHeader({ alg, ...(kid ? { kid } : {}), ...header }).sign(key);
}

/** Tokens of another provider, on whatever the api stands on. */
export function outsideIdentitySuite(name: string, base: ObservedBase): void {
  const open = (environment: Record<string, string>) =>
    createTestApi({
      ...base,
      environment: {
        JWT_SECRET: '',
        JWT_ISSUER: issuer,
        JWT_AUDIENCE: audience,
        SERVICE_TOKEN: serviceToken,
        ...environment,
      },
    });
  const answerOf = async (answer: Response) => `${answer.status} ${((await answer.json()) as Problem).code}`;
  const subject = () => `ext|${crypto.randomUUID()}`;

  describe(`outside identity by a public key on ${name}`, () => {
    let api: TestApi;
    const ada = { key: ed25519.privateKey, alg: 'EdDSA' };
    const me = async (token: string) => api.get('/auth/me', token);
    beforeAll(async () => {
      api = await open({ JWT_PUBLIC_KEY: pemOf(ed25519.publicKey) });
    });

    test('a user is made at its first token, with the name that it carries', async () => {
      const sub = subject();
      const user = await userOf(await me(await tokenOf(ada, { sub, name: '  Ada Lovelace ' })));
      expect(user).toEqual({
        id: expect.any(String),
        externalId: sub,
        displayName: 'Ada Lovelace',
        createdAt: expect.any(String),
      });
      const again = await userOf(await me(await tokenOf(ada, { sub, name: 'Another' })));
      expect(again).toEqual(user);
    });

    test('twenty first tokens at once make one user', async () => {
      const sub = subject();
      const token = await tokenOf(ada, { sub });
      // Each api process has its own memory of who is known.
      const processes = await Promise.all(
        [1, 2].map(() => open({ JWT_PUBLIC_KEY: pemOf(ed25519.publicKey) })),
      );
      const users = await Promise.all(
        Array.from({ length: 20 }, async (_, at) => userOf(await processes[at % 2]!.get('/auth/me', token))),
      );
      expect(new Set(users.map(({ id }) => id)).size).toBe(1);
      const { id, externalId, displayName } = users[0]!;
      expect([externalId, displayName]).toEqual([sub, `User ${id.slice(-6)}`]);
    });

    test('a name that is none, too long or no text is no reason to refuse', async () => {
      const nameFor = async (name: unknown) =>
        (await userOf(await me(await tokenOf(ada, { sub: subject(), name })))).displayName;
      expect(await nameFor('x'.repeat(300))).toBe('x'.repeat(100));
      expect(await nameFor('  ')).toMatch(/^User [0-9a-f]{6}$/);
      expect(await nameFor({ first: 'Ada' })).toMatch(/^User [0-9a-f]{6}$/);
      expect(await nameFor('\u200b\u3164')).toMatch(/^User [0-9a-f]{6}$/);
      // An email is for its owner alone.
      expect(await nameFor(' Ada@Bücher.example')).toMatch(/^User [0-9a-f]{6}$/);
      expect(await nameFor('\u202eAda\0\n Lovelace\u001b')).toBe('Ada Lovelace');
    });

    test('the provider’s id of a user is shown to the user, and to the operator’s backend', async () => {
      const [sub, other] = [subject(), subject()];
      const mine = await tokenOf(ada, { sub });
      const user = await userOf(await me(mine));
      expect(user).toMatchObject({ externalId: sub, displayName: `User ${user.id.slice(-6)}` });
      const own = await userOf(await api.get(`/users/${user.id}`, mine));
      expect(own).toEqual(user);
      const email = `${crypto.randomUUID()}@example.com`;
      const put = await api.call(
        'PUT',
        `/users/external/${encodeURIComponent(sub)}`,
        { email },
        { token: serviceToken },
      );
      expect(await userOf(put)).toEqual({ ...user, email });
      const theirs = await tokenOf(ada, { sub: other });
      const shown = { id: user.id, displayName: user.displayName, createdAt: user.createdAt };
      expect(await userOf(await api.get(`/users/${user.id}`, theirs))).toEqual(shown);
      expect(await (await api.get(`/users?email=${email}`, theirs)).json()).toEqual({ data: [shown] });
    });

    test('a name that is the provider’s id by chance was given, and is shown', async () => {
      const sub = `ada-${crypto.randomUUID()}`;
      const put = (body: object) => api.call('PUT', `/users/external/${sub}`, body, { token: serviceToken });
      expect((await userOf(await put({}))).displayName).toMatch(/^User /);
      expect((await userOf(await put({ displayName: sub }))).displayName).toBe(sub);
      expect((await userOf(await put({ email: `${sub}@example.com` }))).displayName).toBe(sub);
      const claimed = subject();
      expect((await userOf(await me(await tokenOf(ada, { sub: claimed, name: claimed })))).displayName).toBe(
        claimed,
      );
    });

    test('a provider’s clock that is ahead of ours, and what it says of when a token was issued', async () => {
      const seconds = Math.floor(Date.now() / 1000);
      for (const times of [{ iat: seconds + 15 }, { iat: seconds + 3_600 }, { nbf: seconds + 120 }]) {
        expect((await me(await tokenOf(ada, times))).status).toBe(200);
      }
    });

    test('an audience of several and the type of RFC 9068 are taken', async () => {
      expect((await me(await tokenOf(ada, { aud: ['other', audience] }))).status).toBe(200);
      expect((await me(await tokenOf(ada, {}, { typ: 'at+jwt' }))).status).toBe(200);
    });

    const bad = '401 token_invalid';
    test.each<[string, () => Promise<string>, string]>([
      ['another key', () => tokenOf({ key: stranger.privateKey, alg: 'EdDSA' }), bad],
      ['another algorithm', () => tokenOf({ key: rsa.privateKey, alg: 'RS256' }), bad],
      ['the public key as an HMAC secret', () => hmac(pemOf(ed25519.publicKey)), bad],
      [
        'a header that is null',
        async () => `bnVsbA.${(await tokenOf(ada)).split('.').slice(1).join('.')}`,
        bad,
      ],
      ['an id token', () => tokenOf(ada, {}, { typ: 'id+jwt' }), bad],
      ['another issuer', () => tokenOf(ada, { iss: 'https://evil.example.com/' }), bad],
      ['another audience', () => tokenOf(ada, { aud: 'shop' }), bad],
      ['no audience', () => tokenOf(ada, { aud: undefined }), bad],
      ['no subject', () => tokenOf(ada, { sub: undefined }), bad],
      ['an empty subject', () => tokenOf(ada, { sub: '' }), bad],
      ['a subject with a NUL', () => tokenOf(ada, { sub: 'a\0b' }), bad],
      ['no exp', () => tokenOf(ada, { exp: undefined }), bad],
      ['expired', () => tokenOf(ada, { exp: 1 }), '401 token_expired'],
      ['expired, by another key', () => tokenOf({ key: stranger.privateKey, alg: 'EdDSA' }, { exp: 1 }), bad],
      ['not yet', () => tokenOf(ada, { nbf: 4_000_000_000 }), bad],
    ])('%s is refused', async (_, token, answer) => {
      expect(await answerOf(await me(await token()))).toEqual(answer);
    });

    test.each(['register', 'login', 'refresh', 'logout'])('/auth/%s is not there', async (route) => {
      expect(await answerOf(await api.post(`/auth/${route}`, {}))).toEqual('404 route_not_found');
    });

    test('an RSA key is taken as RS256', async () => {
      const other = await open({ JWT_PUBLIC_KEY: pemOf(rsa.publicKey).replaceAll('\n', '\\n') });
      const good = await tokenOf({ key: rsa.privateKey, alg: 'RS256' });
      expect((await other.get('/auth/me', good)).status).toBe(200);
      const pss = await tokenOf({ key: rsa.privateKey, alg: 'PS256' });
      expect(await answerOf(await other.get('/auth/me', pss))).toEqual(bad);
    });

    test('a key that cannot be used refuses to start', async () => {
      const { publicKey } = generateKeyPairSync('x25519');
      await expect(open({ JWT_PUBLIC_KEY: pemOf(publicKey) })).rejects.toThrow(/must be Ed25519 or RSA/);
    });

    test('the operator’s backend makes a user ahead, brings it up to date, and its first token finds it', async () => {
      const sub = subject();
      const put = async (body: object) =>
        api.call('PUT', `/users/external/${encodeURIComponent(sub)}`, body, { token: serviceToken });
      const email = `${crypto.randomUUID()}@example.com`;
      const made = await put({ displayName: 'Ada' });
      const user = await userOf(made);
      expect([made.status, user.displayName, user.externalId]).toEqual([201, 'Ada', sub]);
      const updated = await put({ email: email.toUpperCase() });
      expect([updated.status, await userOf(updated)]).toEqual([200, { ...user, email }]);
      expect(await userOf(await me(await tokenOf(ada, { sub, name: 'Other' })))).toEqual({ ...user, email });
    });

    test('without a service token there is no such route', async () => {
      const closed = await open({ JWT_PUBLIC_KEY: pemOf(ed25519.publicKey), SERVICE_TOKEN: '' });
      const answer = await closed.call('PUT', '/users/external/x', {}, { token: 'undefined' });
      expect(await answerOf(answer)).toEqual('404 route_not_found');
    });
  });
}

/** What `alg` confusion would sign with. */
async function hmac(secret: string): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ iss: issuer, aud: audience, sub: 'ext|ada', exp: now + 60 })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));
}

/** As `tokenOf`, by keys that jose refuses. */
function signedBy(key: KeyObject, kid: string, alg: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: issuer, aud: audience, sub: 'ext|ada', exp: Math.floor(Date.now() / 1000) + 60 };
  const signed = `${part({ alg, kid })}.${part(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

/** The provider's key set over HTTP; needs no database of a kind. */
export function jwksSuite(base: ObservedBase): void {
  describe('outside identity by a key set', () => {
    let keys: JWK[] = [];
    let asked = 0;
    let broken: (() => Response) | 'hang' | undefined;
    const provider = Bun.serve({
      port: 0,
      async fetch() {
        asked += 1;
        if (broken === 'hang') return await new Promise<never>(() => {});
        return broken?.() ?? Response.json({ keys });
      },
    });
    afterAll(() => provider.stop(true));

    const jwk = ({ publicKey }: { publicKey: KeyObject }, kid: string, alg: string): JWK => ({
      ...publicKey.export({ format: 'jwk' }),
      kid,
      alg,
      use: 'sig',
    });
    const one = { key: ed25519.privateKey, alg: 'EdDSA', kid: 'one' };
    const two = { key: rsa.privateKey, alg: 'RS256', kid: 'two' };
    const reset = () => {
      keys = [jwk(ed25519, 'one', 'EdDSA'), jwk(rsa, 'two', 'RS256')];
      asked = 0;
      broken = undefined;
    };
    const open = () =>
      createTestApi({
        ...base,
        environment: { JWT_ISSUER: issuer, JWT_AUDIENCE: audience, JWT_JWKS_URL: `${provider.url}keys` },
      });
    const codeOf = (error: unknown) => (error instanceof ChatError ? error.code : error);

    test('keys of both kinds are found by their ids, and read once for many tokens', async () => {
      reset();
      const api = await open();
      const tokens = await Promise.all([one, two, one, two].map((signer) => tokenOf(signer)));
      const answers = await Promise.all(tokens.map((token) => api.get('/auth/me', token)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(asked).toBe(1);
    });

    test('a key of another kind under a known id is refused', async () => {
      reset();
      const api = await open();
      for (const signer of [
        { ...two, kid: 'one' },
        { key: stranger.privateKey, alg: 'EdDSA', kid: 'one' },
      ]) {
        expect((await api.get('/auth/me', await tokenOf(signer))).status).toBe(401);
      }
    });

    test('a weak key of the set opens nothing: somebody else may have signed', async () => {
      reset();
      const weak = [
        { pair: generateKeyPairSync('rsa', { modulusLength: 1024 }), alg: 'RS256', kid: 'short' },
        {
          pair: generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }),
          alg: 'RS256',
          kid: 'three',
        },
      ];
      keys.push(...weak.map(({ pair, kid, alg }) => jwk(pair, kid, alg)));
      // Of order 1: by it the signature of all zeros and a one is that of everything.
      const anybodys = Buffer.from(`01${'00'.repeat(31)}`, 'hex');
      keys.push({
        kty: 'OKP',
        crv: 'Ed25519',
        x: anybodys.toString('base64url'),
        kid: 'anybody',
        alg: 'EdDSA',
      });
      const api = await open();
      for (const { pair, alg, kid } of weak) {
        // jose itself signs with no such key.
        expect((await api.get('/auth/me', signedBy(pair.privateKey, kid, alg))).status).toBe(401);
      }
      const [head, body] = (await tokenOf({ ...one, kid: 'anybody' })).split('.');
      const signature = Buffer.concat([anybodys, Buffer.alloc(32)]).toString('base64url');
      expect((await api.get('/auth/me', `${head}.${body}.${signature}`)).status).toBe(401);
      expect((await api.get('/auth/me', await tokenOf(two))).status).toBe(200);
    });

    /** A finder with its log, once it has read or tried to. */
    async function openFinder(options: Partial<Parameters<typeof createJwksFinder>[1]> = {}) {
      const before = asked;
      const lines: { msg: string; reason?: string }[] = [];
      const log = pino({}, { write: (line) => void lines.push(JSON.parse(line)) });
      const find = createJwksFinder(`${provider.url}keys`, { log, ...options });
      await eventually('the provider is asked', () => asked > before);
      const outcomeOf = (header: { alg: string; kid?: string }) =>
        find(header).then(
          ({ alg }) => alg,
          (error) => (error instanceof ChatError ? error.code : error),
        );
      const said = () => lines.map(({ msg, reason = '' }) => `${msg}: ${reason}`);
      return { find, outcomeOf, said };
    }
    const headerOne = { alg: 'EdDSA', kid: 'one' };
    const headerTwo = { alg: 'RS256', kid: 'two' };

    test('a hundred unknown key ids ask the provider once more, a token is invalid all the same', async () => {
      reset();
      const api = await open();
      expect((await api.get('/auth/me', await tokenOf(one))).status).toBe(200);
      for (let at = 0; at < 100; at += 1) {
        const answer = await api.get('/auth/me', await tokenOf({ ...one, kid: `unknown-${at}` }));
        expect(answer.status).toBe(401);
      }
      expect(asked).toBe(2);
    });

    test('a hundred unknown key ids at once, too; after the cooldown one more', async () => {
      reset();
      const { outcomeOf } = await openFinder({ cooldownMs: 300 });
      const flood = () =>
        Promise.all(
          Array.from({ length: 100 }, (_, at) => outcomeOf({ alg: 'EdDSA', kid: `unknown-${at}` })),
        );
      const began = performance.now();
      expect(new Set(await flood())).toEqual(new Set(['token_invalid']));
      expect(asked).toBe(2);
      await eventually('the provider is asked again', async () => {
        await flood();
        return asked > 2;
      });
      expect(asked).toBe(3);
      expect(performance.now() - began).toBeGreaterThan(250);
    });

    test('a new key is found at once, however short ago the others were read', async () => {
      reset();
      keys = [jwk(rsa, 'two', 'RS256')];
      const { outcomeOf } = await openFinder({ cooldownMs: 60_000 });
      expect(await outcomeOf(headerTwo)).toBe('RS256');
      keys.push(jwk(ed25519, 'one', 'EdDSA'));
      expect(await Promise.all([1, 2, 3].map(() => outcomeOf(headerOne)))).toEqual([
        'EdDSA',
        'EdDSA',
        'EdDSA',
      ]);
      expect(asked).toBe(2);
    });

    const encryption = () => ({ ...jwk(rsa, 'two', 'RS256'), use: 'enc' });
    const secret = { kty: 'oct', k: 'c2VjcmV0', kid: 'one', alg: 'HS256' };
    const trickle = () =>
      new Response(
        new ReadableStream({
          async pull(controller) {
            await Bun.sleep(20);
            controller.enqueue('{');
          },
        }),
      );
    /** Where the end of the patience is what is waited for. */
    const timeoutFor = (answer: (() => Response) | 'hang') =>
      answer === 'hang' || answer === trickle ? 300 : 3_000;
    const bad: [string, (() => Response) | 'hang', RegExp][] = [
      ['answers 500', () => new Response('no', { status: 500 }), /answers 500/],
      ['answers no JSON', () => new Response('<html>'), /no set of keys/],
      ['answers no key set', () => Response.json({ nothing: true }), /no set of keys/],
      ['answers an empty set', () => Response.json({ keys: [] }), /none of its 0 keys/],
      ['has keys for encryption alone', () => Response.json({ keys: [encryption()] }), /none of its 1 keys/],
      ['has keys of another kind alone', () => Response.json({ keys: [secret] }), /none of its 1 keys/],
      [
        'has a key that is broken',
        () => Response.json({ keys: [{ ...jwk(rsa, 'two', 'RS256'), n: '' }] }),
        /none/,
      ],
      [
        'answers with 10 MB',
        () => new Response(JSON.stringify({ keys, more: 'x'.repeat(10_000_000) })),
        /more than/,
      ],
      ['sends elsewhere', () => Response.redirect(`${provider.url}elsewhere`), /answers 302/],
      ['never answers', 'hang', /not answered within 0\.3 s/],
      ['never comes to an end', trickle, /not answered within 0\.3 s/],
    ];

    test.each(bad)(
      '503: a provider that %s is no reason to call a token invalid, and is not asked again at once',
      async (_, answer, reason) => {
        reset();
        broken = answer;
        const { find, outcomeOf, said } = await openFinder({
          cooldownMs: 60_000,
          timeoutMs: timeoutFor(answer),
        });
        for (let time = 0; time < 5; time += 1) {
          const error = await find(headerOne).catch((refusal) => refusal);
          expect(codeOf(error)).toBe('server_busy');
          expect(error.retryAfterSeconds).toBeWithin(1, 61);
        }
        expect(await outcomeOf({ alg: 'EdDSA', kid: 'unknown' })).toBe('server_busy');
        expect(asked).toBe(1);
        expect(said()).toEqual([expect.stringMatching(reason)]);
        expect(said()[0]).toContain('are answered 503');
      },
    );

    test.each(bad)(
      'a provider that %s takes no known key away, and says so once',
      async (_, answer, reason) => {
        reset();
        const times = { cooldownMs: 20, maxAgeMs: 20, timeoutMs: timeoutFor(answer) };
        const { outcomeOf, said } = await openFinder(times);
        expect(await outcomeOf(headerOne)).toBe('EdDSA');
        broken = answer;
        const before = asked;
        await eventually('it is asked again and again', async () => {
          expect(await outcomeOf(headerOne)).toBe('EdDSA');
          expect(await outcomeOf(headerTwo)).toBe('RS256');
          return said().length > 0 && asked > before + 2;
        });
        // It may be a new key's: nobody can tell.
        expect(await outcomeOf({ alg: 'EdDSA', kid: 'unknown' })).toBe('server_busy');
        expect(said()).toEqual([expect.stringMatching(reason)]);
        expect(said()[0]).toContain('the known ones are used');

        broken = undefined;
        await eventually('it is believed again', async () => {
          await outcomeOf(headerOne);
          return said().length > 1;
        });
        expect(said()[1]).toContain('can be read again');
        expect(await outcomeOf({ alg: 'EdDSA', kid: 'unknown' })).toBe('token_invalid');
      },
    );

    test('nobody waits for the provider while keys are known', async () => {
      reset();
      const { outcomeOf } = await openFinder({ timeoutMs: 10_000, cooldownMs: 10, maxAgeMs: 100 });
      expect(await outcomeOf(headerOne)).toBe('EdDSA');
      const before = asked;
      broken = 'hang';
      await eventually('it is read in the background', async () => {
        const began = runningMs();
        expect(await outcomeOf(headerOne)).toBe('EdDSA');
        expect(runningMs() - began).toBeLessThan(5_000);
        return asked > before;
      });
    });

    test('after a long time without tokens the first one waits for what the provider says now', async () => {
      reset();
      const { outcomeOf } = await openFinder({ maxAgeMs: 50 });
      expect(await outcomeOf(headerTwo)).toBe('RS256');
      const quietSince = performance.now();
      keys = [jwk(ed25519, 'one', 'EdDSA')];
      await eventually('it is long ago', () => performance.now() - quietSince > 150);
      expect(await outcomeOf(headerTwo)).toBe('token_invalid');
    });

    test('a set in which a key is missing is the provider’s word', async () => {
      reset();
      const { outcomeOf, said } = await openFinder({ cooldownMs: 20, maxAgeMs: 20 });
      expect(await outcomeOf(headerTwo)).toBe('RS256');
      keys = [jwk(ed25519, 'one', 'EdDSA')];
      await eventually('it is gone', async () => (await outcomeOf(headerTwo)) === 'token_invalid');
      expect(await outcomeOf(headerOne)).toBe('EdDSA');
      expect(said()).toEqual([]);
    });

    test('keys that nobody has confirmed for too long are not believed any more', async () => {
      reset();
      const { outcomeOf, said } = await openFinder({ cooldownMs: 20, maxAgeMs: 20, keptMs: 400 });
      const began = performance.now();
      expect(await outcomeOf(headerOne)).toBe('EdDSA');
      broken = () => new Response('no', { status: 500 });
      await eventually('they are too old', async () => (await outcomeOf(headerOne)) === 'server_busy', 3_000);
      expect(performance.now() - began).toBeGreaterThan(350);
      await eventually('it is said', async () => {
        await outcomeOf(headerOne);
        return said().length === 2;
      });
      expect(said()).toEqual([
        expect.stringContaining('the known ones are used'),
        expect.stringContaining('are answered 503'),
      ]);
    });

    test('a provider that comes later is believed: an api starts without it', async () => {
      reset();
      broken = () => new Response('no', { status: 500 });
      const { outcomeOf, said } = await openFinder({ cooldownMs: 0 });
      expect(await outcomeOf(headerOne)).toBe('server_busy');
      broken = undefined;
      expect(await outcomeOf(headerOne)).toBe('EdDSA');
      expect(said()).toHaveLength(2);
    });
  });
}
