import { describe, expect, test } from 'bun:test';
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { ConfigError, parseConfig } from '../../src/shared/config.ts';

const good = 'mIdR0yI5mQmxXl2pVnq3bq2cZz1hJw8k';
const pemOf = (key: KeyObject) => String(key.export({ type: 'spki', format: 'pem' }));

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    parseConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('an empty environment gives the defaults', () => {
  const config = parseConfig({});
  expect(config.port).toBe(3000);
  expect(config.broker.url).toBe('amqp://guest:guest@localhost:5672/%2F');
  expect(config.auth.accessTtlSeconds).toBe(900);
  expect(config.auth.refreshTtlSeconds).toBe(30 * 86_400);
  expect(config.corsOrigins).toBeUndefined();
  expect(config.worker.enabled).toBe(false);
});

test('.env.example as it stands is the defaults', async () => {
  const lines = (await Bun.file(`${import.meta.dir}/../../.env.example`).text()).split('\n');
  const environment = Object.fromEntries(
    lines.filter((line) => /^[A-Z]/.test(line)).map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
  expect(parseConfig(environment)).toEqual(parseConfig({}));
});

test('empty means unset', () => {
  expect(parseConfig({ RABBITMQ_URI: '', PORT: '', JWT_SECRET: ' ' })).toEqual(parseConfig({}));
});

test('RABBITMQ_URI wins over the single variables', () => {
  const config = parseConfig({ RABBITMQ_URI: 'amqps://u:p@broker/v', RABBITMQ_HOST: 'other' });
  expect(config.broker.url).toBe('amqps://u:p@broker/v');
});

test('credentials and the virtual host are encoded into the broker URL', () => {
  const config = parseConfig({ RABBITMQ_PASSWORD: 'p@ss/word', RABBITMQ_VHOST: 'a/b' });
  expect(config.broker.url).toBe('amqp://guest:p%40ss%2Fword@localhost:5672/a%2Fb');
});

test('all errors are shown at once, each naming its variable', () => {
  const problems = problemsOf({
    PORT: '70000',
    REDIS_PORT: 'six',
    NODE_ENV: 'staging',
    DATABASE_URL: 'mysql://localhost/chat',
    JWT_ACCESS_TTL: 'soon',
    JWT_SECRET: 'short',
    CORS_ORIGINS: 'https://a.example, not-an-origin',
    RATE_LIMIT_ENABLED: 'yes',
    CHAT_WORKER_BATCH_SIZE: '-1',
  });
  const named = problems.map((problem) => problem.split(' ')[0]?.split('.')[0]);
  expect(named.toSorted()).toEqual([
    'CHAT_WORKER_BATCH_SIZE',
    'CORS_ORIGINS',
    'DATABASE_URL',
    'JWT_ACCESS_TTL',
    'JWT_SECRET',
    'NODE_ENV',
    'PORT',
    'RATE_LIMIT_ENABLED',
    'REDIS_PORT',
  ]);
});

test('a duration that PostgreSQL could not add to a time is refused', () => {
  expect(problemsOf({ JWT_REFRESH_TTL: '3650d' })).toEqual([]);
  expect(problemsOf({ JWT_REFRESH_TTL: '3651d' })).toEqual(['JWT_REFRESH_TTL must be 3650d at most']);
  expect(problemsOf({ JWT_ACCESS_TTL: '99999999999999999999w' })).toHaveLength(1);
});

test('production without a secret, or with a short one, refuses', () => {
  expect(problemsOf({ NODE_ENV: 'production' })).toEqual([
    'JWT_SECRET is required in production: at least 32 random bytes',
  ]);
  expect(problemsOf({ NODE_ENV: 'production', JWT_SECRET: good.slice(1) })).toEqual([
    'JWT_SECRET must have at least 32 bytes',
  ]);
  expect(problemsOf({ NODE_ENV: 'production', JWT_SECRET: good })).toEqual([]);
});

test('production with outside identity needs no secret', () => {
  expect(problemsOf({ NODE_ENV: 'production', JWT_JWKS_URL: 'https://id.example/jwks' })).toEqual([]);
});

test('a public key and a JWKS URL exclude each other', () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const given = { JWT_PUBLIC_KEY: pemOf(publicKey), JWT_JWKS_URL: 'https://id.example/jwks' };
  expect(problemsOf(given)).toEqual(['JWT_PUBLIC_KEY and JWT_JWKS_URL exclude each other: set one']);
});

describe('keys that somebody else could have', () => {
  test.each([
    'a'.repeat(32),
    'abcd'.repeat(8),
    'changeme'.repeat(4),
    '01234567890123456789012345678901',
    'abcdefghijklmnopqrstuvwxyz012345',
    'zyxwvutsrqponmlkjihgfedcba987654',
    'aaaaaaaabbbbbbbbccccccccdddddddd',
    'your-256-bit-secret-your-256-bit-secret',
    'a-string-secret-at-least-256-bits-long',
    'your-super-secret-jwt-key-change-this-in-production',
    'CHANGE_ME: this is not a secure secret!',
    'put JWT_SECRET here, put JWT_SECRET here',
    'qwertyuiopasdfghjklzxcvbnm123456',
  ])('%s is refused in production, and warned of elsewhere', (secret) => {
    for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS', 'SERVICE_TOKEN']) {
      const given = { JWT_SECRET: good, [name]: secret };
      expect(problemsOf({ NODE_ENV: 'production', ...given })).toEqual([
        expect.stringMatching(new RegExp(`^${name} `)),
      ]);
      expect(parseConfig(given).warnings).toEqual([expect.stringMatching(new RegExp(`^${name} `))]);
    }
  });

  test('random ones are taken, of every spelling', () => {
    for (let time = 0; time < 500; time += 1) {
      const spellings = [
        randomBytes(16).toString('hex'),
        randomBytes(24).toString('base64'),
        randomBytes(32).toString('base64url'),
        Array.from(randomBytes(32), (byte) => byte % 10).join(''),
      ];
      for (const JWT_SECRET of spellings) {
        expect(problemsOf({ NODE_ENV: 'production', JWT_SECRET })).toEqual([]);
        expect(parseConfig({ JWT_SECRET }).warnings).toEqual([]);
      }
    }
    const phrase = 'сорок тысяч обезьян в зелёных шляпах';
    expect(problemsOf({ NODE_ENV: 'production', JWT_SECRET: phrase })).toEqual([]);
  });

  test('keys that came over a line that anybody can listen in on', () => {
    const given = { JWT_JWKS_URL: 'http://id.example/jwks' };
    const problem = expect.stringMatching(/^JWT_JWKS_URL must begin with https/);
    expect(problemsOf({ NODE_ENV: 'production', ...given })).toEqual([problem]);
    expect(parseConfig(given).warnings).toEqual([problem]);
  });

  const rsa = (modulusLength: number, publicExponent = 65_537) =>
    pemOf(generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey);
  const ed25519 = (hex: string) => {
    const der = Buffer.from(`302a300506032b6570032100${hex}`, 'hex');
    return `-----BEGIN PUBLIC KEY-----\n${der.toString('base64')}\n-----END PUBLIC KEY-----`;
  };

  test.each<[string, string, RegExp]>([
    ['RSA of 512 bits', rsa(512), /512 bits/],
    ['RSA of 1024 bits', rsa(1024), /1024 bits/],
    ['RSA with the exponent 3', rsa(2048, 3), /exponent 3/],
    ['an Ed25519 key by which everybody can sign', ed25519(`01${'00'.repeat(31)}`), /small order/],
    ['the same with its sign', ed25519(`01${'00'.repeat(30)}80`), /small order/],
    [
      'a curve that is not supported',
      pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey),
      /type ec/,
    ],
    ['a key for agreement', pemOf(generateKeyPairSync('x25519').publicKey), /type x25519/],
    ['no key', '-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----', /cannot be read/],
  ])('%s is refused everywhere', (_, JWT_PUBLIC_KEY, reason) => {
    expect(problemsOf({ JWT_PUBLIC_KEY })).toEqual([expect.stringMatching(reason)]);
  });

  test('RSA of 2048 bits and Ed25519 are taken', () => {
    expect(problemsOf({ NODE_ENV: 'production', JWT_PUBLIC_KEY: rsa(2048) })).toEqual([]);
    const { publicKey } = generateKeyPairSync('ed25519');
    expect(problemsOf({ NODE_ENV: 'production', JWT_PUBLIC_KEY: pemOf(publicKey) })).toEqual([]);
  });
});
