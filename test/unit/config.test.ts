import { expect, test } from 'bun:test';
import { ConfigError, parseConfig } from '../../src/shared/config.ts';

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
  expect(config.broker).toMatchObject({
    ...{ hosts: [{ host: 'localhost', port: 5672 }], encrypted: false, tls: {} },
    ...{ username: 'guest', password: 'guest', vhost: '/', queueMaxBytes: undefined },
  });
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
  expect(config.broker).toMatchObject({
    ...{ hosts: [{ host: 'broker', port: 5671 }], encrypted: true, username: 'u', password: 'p', vhost: 'v' },
  });
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
  expect(problemsOf({ NODE_ENV: 'production', JWT_SECRET: 'x'.repeat(31) })).toHaveLength(1);
  expect(problemsOf({ NODE_ENV: 'production', JWT_SECRET: 'x'.repeat(32) })).toEqual([]);
});

test('production with outside identity needs no secret', () => {
  expect(problemsOf({ NODE_ENV: 'production', JWT_JWKS_URL: 'https://id.example/jwks' })).toEqual([]);
});

test('a public key and a JWKS URL exclude each other', () => {
  const key = '-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----';
  expect(problemsOf({ JWT_PUBLIC_KEY: key, JWT_JWKS_URL: 'https://id.example/jwks' })).toHaveLength(1);
});
