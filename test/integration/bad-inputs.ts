import { beforeAll } from 'bun:test';
import { createHmac } from 'node:crypto';
import { createTestApi, testPassword, testSecret } from '../support/api.ts';
import type { ObservedBase } from '../support/api-bases.ts';
import { type BadInput, type BadRequest, testBadInputs } from '../support/bad-inputs.ts';
import { createDocumented, type Documented } from '../support/documented.ts';

interface World {
  /** Signed in. */
  ada: { token: string; refreshToken: string; userId: string; sessionId: string; email: string };
  /** A token whose session was logged out. */
  loggedOut: string;
  /** Logged out, too: its refresh token. */
  loggedOutRefresh: string;
}

const serviceToken = 'the service token of these tests that is long enough';
const email = 'new@example.com';
const password = testPassword;

const post = (path: string, body: unknown, headers?: Record<string, string>) => (): BadRequest => ({
  method: 'POST',
  path,
  body,
  ...(headers ? { headers } : {}),
});
const register = (body: unknown, headers?: Record<string, string>) => post('/auth/register', body, headers);
const authorization = (token: string) => ({ Authorization: `Bearer ${token}` });
const get =
  (path: string) =>
  ({ ada }: World): BadRequest => ({ method: 'GET', path, headers: authorization(ada.token) });
const me = (headers: Record<string, string>): BadRequest => ({ method: 'GET', path: '/auth/me', headers });
const meWith = (token: (world: World) => string) => (world: World) => me(authorization(token(world)));
const putOutside =
  (path: string, body: unknown, token = serviceToken) =>
  (): BadRequest => ({
    method: 'PUT',
    path: `/users/external/${path}`,
    headers: authorization(token),
    body,
  });

const invalid = { status: 422, code: 'validation_failed' } as const;
const malformed = { status: 400, code: 'malformed_json' } as const;
const wrongType = { status: 415, code: 'unsupported_media_type' } as const;
const tooLarge = { status: 413, code: 'body_too_large' } as const;
const missing = { status: 401, code: 'token_missing' } as const;
const bad = { status: 401, code: 'token_invalid' } as const;
const expired = { status: 401, code: 'token_expired' } as const;
const revoked = { status: 401, code: 'session_revoked' } as const;
const wrong = { status: 401, code: 'bad_credentials' } as const;
const noRefresh = { status: 401, code: 'refresh_invalid' } as const;
const noUser = { status: 404, code: 'user_not_found' } as const;
const notHere = { status: 405, code: 'method_not_allowed' } as const;
const noRoute = { status: 404, code: 'route_not_found' } as const;

/** Input → status, code. What is asked of chats and messages has a table of its own. */
// biome-ignore format: a table reads by its rows
const rows: readonly BadInput<World>[] = [
  // Bodies
  { input: 'not JSON', ask: register('{"email":'), ...malformed },
  { input: 'an empty body', ask: register(''), ...malformed },
  { input: 'no body at all', ask: () => ({ method: 'POST', path: '/auth/register', headers: json }), ...malformed },
  { input: 'JSON with a comment', ask: register('{} // x'), ...malformed },
  { input: 'bytes that are not UTF-8', ask: () => stream('/auth/register', new Uint8Array([0x22, 0xff, 0x22])), ...malformed },
  { input: 'a body that is null', ask: register('null'), ...invalid, path: '' },
  { input: 'a body that is an array', ask: register([]), ...invalid, path: '' },
  { input: 'a body that is a string', ask: register('"x"'), ...invalid, path: '' },
  { input: 'an array where all fields may be absent', ask: putOutside('x', []), ...invalid, path: '' },
  { input: 'no field at all', ask: register({}), ...invalid, path: 'email' },
  { input: 'a wrong type', ask: register({ email: 7, password }), ...invalid, path: 'email' },
  { input: 'an object for a string', ask: register({ email: { a: 1 }, password }), ...invalid, path: 'email' },
  { input: 'null for an optional field', ask: register({ email, password, displayName: null }), ...invalid, path: 'displayName' },
  { input: 'an unknown field', ask: register({ email, password, role: 'admin' }), ...invalid, path: 'role' },
  { input: '__proto__', ask: register(`{"email":"${email}","password":"${password}","__proto__":{"a":1}}`), ...invalid, path: '__proto__' },
  { input: 'constructor', ask: register({ email, password, constructor: 1 }), ...invalid, path: 'constructor' },
  { input: 'NUL', ask: register({ email, password, displayName: 'a\0b' }), ...invalid, path: 'displayName' },
  { input: 'half of a surrogate pair, escaped', ask: register(`{"email":"${email}","password":"${password}","displayName":"\\ud800"}`), ...invalid, path: 'displayName' },
  { input: 'half of a surrogate pair in a name', ask: register(`{"\\udc00":1}`), ...invalid, path: '' },
  { input: 'nesting in a field', ask: register(`{"email":${'['.repeat(1_000)}${']'.repeat(1_000)}}`), ...invalid, path: '' },
  { input: 'nesting 30,000 deep', ask: register(`{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`), ...invalid, path: '' },
  { input: 'nesting that never closes', ask: register('['.repeat(60_000)), ...malformed },
  { input: 'a form', ask: register('email=a', { 'Content-Type': 'application/x-www-form-urlencoded' }), ...wrongType },
  { input: 'text', ask: register({ email, password }, { 'Content-Type': 'text/plain' }), ...wrongType },
  { input: 'a type that begins like JSON', ask: register({ email, password }, { 'Content-Type': 'application/jsonx' }), ...wrongType },
  { input: 'a compressed body', ask: register({ email, password }, { 'Content-Encoding': 'gzip' }), ...wrongType },
  { input: 'no content type', ask: () => ({ method: 'POST', path: '/auth/register' }), ...wrongType },
  { input: 'a body over 64 KiB', ask: register({ email, password, displayName: 'x'.repeat(65_536) }), ...tooLarge },
  { input: 'a body over 64 KiB in chunks', ask: () => stream('/auth/register', ...Array(65).fill(new Uint8Array(1024).fill(0x20))), ...tooLarge },
  { input: 'a body over 64 KiB for no route', ask: post('/nowhere', 'x'.repeat(65_537)), ...tooLarge },

  // Registering and signing in
  { input: 'an empty email', ask: register({ email: '', password }), ...invalid, path: 'email' },
  { input: 'an email without an @', ask: register({ email: 'ada', password }), ...invalid, path: 'email' },
  { input: 'an email of 255 characters', ask: register({ email: `${'a'.repeat(243)}@example.com`, password }), ...invalid, path: 'email' },
  { input: 'a quoted local part', ask: register({ email: '"ada"@example.com', password }), ...invalid, path: 'email' },
  { input: 'a domain of one label', ask: register({ email: 'ada@localhost', password }), ...invalid, path: 'email' },
  { input: 'an IP address for a domain', ask: register({ email: 'ada@192.0.2.1', password }), ...invalid, path: 'email' },
  { input: 'a domain that is no domain in any script', ask: register({ email: 'ada@xn--a.example', password }), ...invalid, path: 'email' },
  { input: 'a path for a domain', ask: register({ email: 'ada@example.com/x.com', password }), ...invalid, path: 'email' },
  { input: '65 characters before the @', ask: register({ email: `${'a'.repeat(65)}@example.com`, password }), ...invalid, path: 'email' },
  { input: 'a label of 64 characters', ask: register({ email: `ada@${'a'.repeat(64)}.com`, password }), ...invalid, path: 'email' },
  { input: 'the commonest password', ask: register({ email, password: 'password' }), ...invalid, path: 'password' },
  { input: 'a common password in capitals', ask: register({ email, password: 'QWERTY123' }), ...invalid, path: 'password' },
  { input: 'a common password, fullwidth', ask: register({ email, password: 'ｐａｓｓｗｏｒｄ１' }), ...invalid, path: 'password' },
  { input: 'a password of spaces', ask: register({ email, password: ' '.repeat(8) }), ...invalid, path: 'password' },
  { input: 'a password that nobody sees', ask: register({ email, password: '\u200b'.repeat(8) }), ...invalid, path: 'password' },
  { input: 'a password that repeats itself', ask: register({ email, password: 'xyxyxyxyxy' }), ...invalid, path: 'password' },
  { input: 'a password that counts', ask: register({ email, password: '23456789' }), ...invalid, path: 'password' },
  { input: 'the email for a password', ask: register({ email: 'ada.l@example.com', password: 'Ada.L@Example.com' }), ...invalid, path: 'password' },
  { input: 'its first part for a password', ask: register({ email: 'ada.lovelace@example.com', password: 'Ada.Lovelace' }), ...invalid, path: 'password' },
  { input: 'a name that cannot be seen', ask: register({ email, password, displayName: '\u200b\u3164' }), ...invalid, path: 'displayName' },
  { input: 'a name of blank braille', ask: register({ email, password, displayName: '\u2800' }), ...invalid, path: 'displayName' },
  { input: 'a name that colours a terminal', ask: register({ email, password, displayName: '\u001b[31mAda' }), ...invalid, path: 'displayName' },
  { input: 'a name of two lines', ask: register({ email, password, displayName: 'Ada\nLovelace' }), ...invalid, path: 'displayName' },
  { input: 'a name that turns what follows', ask: register({ email, password, displayName: 'Ada\u202e' }), ...invalid, path: 'displayName' },
  { input: 'an empty password', ask: register({ email, password: '' }), ...invalid, path: 'password' },
  { input: 'a password of 7', ask: register({ email, password: '1234567' }), ...invalid, path: 'password' },
  { input: 'a password of 257', ask: register({ email, password: 'x'.repeat(257) }), ...invalid, path: 'password' },
  { input: 'a blank name', ask: register({ email, password, displayName: ' \t ' }), ...invalid, path: 'displayName' },
  { input: 'a name of 101', ask: register({ email, password, displayName: 'x'.repeat(101) }), ...invalid, path: 'displayName' },
  { input: 'an email that is taken', ask: ({ ada }) => register({ email: ada.email, password })(), status: 409, code: 'email_taken' },
  { input: 'an unknown email', ask: post('/auth/login', { email, password }), ...wrong },
  { input: 'a wrong password', ask: ({ ada }) => post('/auth/login', { email: ada.email, password: 'x' })(), ...wrong },
  { input: 'signing in with an empty password', ask: post('/auth/login', { email, password: '' }), ...invalid, path: 'password' },
  { input: 'signing in with a password of 257', ask: post('/auth/login', { email, password: 'x'.repeat(257) }), ...invalid, path: 'password' },

  // Refresh tokens
  { input: 'no refresh token', ask: post('/auth/refresh', {}), ...invalid, path: 'refreshToken' },
  { input: 'an unknown refresh token', ask: post('/auth/refresh', { refreshToken: 'x'.repeat(43) }), ...noRefresh },
  { input: 'an access token as refresh token', ask: ({ ada }) => post('/auth/refresh', { refreshToken: ada.token.slice(0, 256) })(), ...noRefresh },
  { input: 'a refresh token after logging out', ask: ({ loggedOutRefresh }) => post('/auth/refresh', { refreshToken: loggedOutRefresh })(), ...revoked },

  // Access tokens
  { input: 'no token', ask: () => me({}), ...missing },
  { input: 'another scheme', ask: () => me({ Authorization: 'Basic YTpi' }), ...missing },
  { input: 'a scheme without a token', ask: () => me({ Authorization: 'Bearer ' }), ...missing },
  { input: 'garbage', ask: meWith(() => 'garbage'), ...bad },
  { input: 'two dots', ask: meWith(() => '..'), ...bad },
  { input: 'a token of 9,000 characters', ask: meWith(() => 'x'.repeat(9_000)), ...bad },
  { input: 'alg: none', ask: meWith((world) => `${part({ alg: 'none', typ: 'JWT' })}.${part(claims(world))}.`), ...bad },
  { input: 'alg: HS512', ask: meWith((world) => signed(world, {}, { alg: 'HS512' }, 'sha512')), ...bad },
  { input: 'alg: RS256 over an HMAC', ask: meWith((world) => signed(world, {}, { alg: 'RS256' })), ...bad },
  { input: 'alg: EdDSA over an HMAC', ask: meWith((world) => signed(world, {}, { alg: 'EdDSA' })), ...bad },
  { input: 'another secret', ask: meWith((world) => signed(world, {}, {}, 'sha256', 'another secret')), ...bad },
  { input: 'tampered claims', ask: meWith(({ ada }) => tamper(ada.token)), ...bad },
  { input: 'a token cut short', ask: meWith(({ ada }) => ada.token.slice(0, -5)), ...bad },
  { input: 'a payload that is null', ask: meWith(() => sign(null)), ...bad },
  { input: 'a payload that is an array', ask: meWith(() => sign([])), ...bad },
  { input: 'a wrong iss', ask: meWith((world) => signed(world, { iss: 'mallory' })), ...bad },
  { input: 'no iss', ask: meWith((world) => signed(world, { iss: undefined })), ...bad },
  { input: 'a wrong aud', ask: meWith((world) => signed(world, { aud: 'elsewhere' })), ...bad },
  { input: 'no aud', ask: meWith((world) => signed(world, { aud: undefined })), ...bad },
  { input: 'a wrong type', ask: meWith((world) => signed(world, { token_use: 'refresh' })), ...bad },
  { input: 'no type', ask: meWith((world) => signed(world, { token_use: undefined })), ...bad },
  { input: 'a crit header', ask: meWith((world) => signed(world, {}, { crit: ['b64'] })), ...bad },
  { input: 'no exp', ask: meWith((world) => signed(world, { exp: undefined })), ...bad },
  { input: 'an exp that is text', ask: meWith((world) => signed(world, { exp: '9999999999' })), ...bad },
  { input: 'a sub that is an object', ask: meWith((world) => signed(world, { sub: { id: world.ada.userId } })), ...bad },
  { input: 'a sub that is no UUID', ask: meWith((world) => signed(world, { sub: 'ada' })), ...bad },
  { input: 'no sid', ask: meWith((world) => signed(world, { sid: undefined })), ...bad },
  { input: 'not before ten minutes from now', ask: meWith((world) => signed(world, { nbf: now() + 600 })), ...bad },
  { input: 'expired', ask: meWith((world) => signed(world, { exp: now() - 1 })), ...expired },
  { input: 'expired and tampered', ask: meWith((world) => tamper(signed(world, { exp: now() - 1 }))), ...bad },
  { input: 'a refresh token as access token', ask: meWith(({ ada }) => ada.refreshToken), ...bad },
  { input: 'logged out', ask: meWith(({ loggedOut }) => loggedOut), ...revoked },
  { input: 'a session of nobody', ask: meWith((world) => signed(world, { sid: crypto.randomUUID() })), ...revoked },
  { input: 'a session of another user', ask: meWith((world) => signed(world, { sub: crypto.randomUUID() })), ...revoked },

  // Users
  { input: 'a user id that is no UUID', ask: get('/users/ada'), ...invalid, path: 'userId' },
  { input: 'a user id with a NUL', ask: get('/users/%00'), ...invalid, path: 'userId' },
  { input: 'a query where none is known', ask: get(`/users/${crypto.randomUUID()}?fields=email`), ...invalid, path: 'fields' },
  { input: 'a user of nobody', ask: get(`/users/${crypto.randomUUID()}`), ...noUser },
  { input: 'looking up without an email', ask: get('/users'), ...invalid, path: 'email' },
  { input: 'looking up what is no email', ask: get('/users?email=%25'), ...invalid, path: 'email' },
  { input: 'looking up two emails', ask: get('/users?email=a@example.com&email=b@example.com'), ...invalid, path: 'email' },
  { input: 'an unknown query parameter', ask: get('/users?email=a@example.com&all=true'), ...invalid, path: 'all' },
  { input: 'a broken escape in the query', ask: get('/users?email=%E0%A4%A'), ...invalid, path: 'email' },

  // The operator's own backend
  { input: 'no service token', ask: () => ({ method: 'PUT', path: '/users/external/x', body: {} }), ...missing },
  { input: 'a wrong service token', ask: putOutside('x', {}, 'wrong'), ...bad },
  { input: 'a user’s token as service token', ask: ({ ada }) => putOutside('x', {}, ada.token)(), ...bad },
  { input: 'an external id of 256', ask: putOutside('x'.repeat(256), {}), ...invalid, path: 'externalId' },
  { input: 'an external id with a NUL', ask: putOutside('%00', {}), ...invalid, path: 'externalId' },
  { input: 'a name that cannot be seen, by the backend', ask: putOutside('x', { displayName: '\ufe0f' }), ...invalid, path: 'displayName' },
  { input: 'another’s email', ask: ({ ada }) => putOutside('x', { email: ada.email })(), status: 409, code: 'email_taken' },

  // Routes
  { input: 'no such route', ask: () => ({ method: 'GET', path: '/nowhere' }), ...noRoute },
  { input: 'another method', ask: () => ({ method: 'DELETE', path: '/auth/login' }), ...notHere },
  { input: 'another case', ask: () => ({ method: 'GET', path: '/Auth/me' }), ...noRoute },
  { input: 'a path upwards', ask: () => ({ method: 'GET', path: '/documentation/..%2f..%2fpackage.json' }), ...noRoute },
];

const json = { 'Content-Type': 'application/json' };
const now = (): number => Math.floor(Date.now() / 1000);

function stream(path: string, ...chunks: Uint8Array[]): BadRequest {
  return {
    method: 'POST',
    path,
    body: new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
        controller.close();
      },
    }),
  };
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const claims = ({ ada }: World) => ({
  iss: 'confab',
  aud: 'confab',
  sub: ada.userId,
  sid: ada.sessionId,
  token_use: 'access',
  iat: now(),
  exp: now() + 60,
});

function sign(payload: unknown, header: object = {}, hash = 'sha256', secret = testSecret): string {
  const text = `${part({ alg: 'HS256', typ: 'JWT', ...header })}.${part(payload)}`;
  return `${text}.${createHmac(hash, secret).update(text).digest('base64url')}`;
}

const signed = (world: World, changes: object, header?: object, hash?: string, secret?: string): string =>
  sign({ ...claims(world), ...changes }, header, hash, secret);

/** Another user's id under the old signature. */
function tamper(token: string): string {
  const [header, payload = '', signature] = token.split('.');
  const changed = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), sub: crypto.randomUUID() };
  return `${header}.${part(changed)}.${signature}`;
}

export function badInputsSuite(name: string, base: ObservedBase): void {
  let documented: Documented;
  let world: World;
  beforeAll(async () => {
    const api = await createTestApi({ ...base, environment: { SERVICE_TOKEN: serviceToken } });
    documented = await createDocumented(api.api);
    const [ada, gone] = [await api.signUp(), await api.signUp()];
    await api.post('/auth/logout', undefined, gone.accessToken);
    const [, payload = ''] = ada.accessToken.split('.');
    world = {
      ada: {
        token: ada.accessToken,
        refreshToken: ada.refreshToken,
        userId: ada.user.id,
        sessionId: JSON.parse(Buffer.from(payload, 'base64url').toString()).sid,
        email: ada.email,
      },
      loggedOut: gone.accessToken,
      loggedOutRefresh: gone.refreshToken,
    };
  });
  testBadInputs(
    `bad inputs on ${name}`,
    rows,
    () => world,
    (path, init) => documented.request(path, init),
  );
}
