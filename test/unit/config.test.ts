import { expect, test } from 'bun:test';
import { type BrokerConfig, ConfigError, parseConfig } from '../../src/shared/config.ts';

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

const node = (host: string, port = 5672) => ({ host, port });

test.each([
  ['::1', [node('::1')]],
  ['[::1]', [node('::1')]],
  ['[::1]:5673', [node('::1', 5673)]],
  ['fe80::1%eth0', [node('fe80::1%eth0')]],
  ['[fe80::1%eth0]:7', [node('fe80::1%eth0', 7)]],
  ['10.0.0.1:5673', [node('10.0.0.1', 5673)]],
  ['rabbit_1', [node('rabbit_1')]],
  [' a, b:1 ,[::2]:3,', [node('a'), node('b', 1), node('::2', 3)]],
])('RABBITMQ_HOST=%s is understood', (RABBITMQ_HOST, hosts) => {
  expect(parseConfig({ RABBITMQ_HOST }).broker.hosts).toEqual(hosts);
  const authority = RABBITMQ_HOST.split(',').map((host) => host.trim());
  // In a URI an IPv6 address has brackets.
  if (/^[^[]*:.*:/.test(RABBITMQ_HOST)) return;
  expect(parseConfig({ RABBITMQ_URI: `amqp://${authority.join(',')}` }).broker.hosts).toEqual(hosts);
});

test('RABBITMQ_PORT is for hosts without one; with TLS the usual one is another', () => {
  const hostsOf = (environment: Record<string, string>) => parseConfig(environment).broker.hosts;
  expect(hostsOf({ RABBITMQ_HOST: 'a,b:1', RABBITMQ_PORT: '7' })).toEqual([node('a', 7), node('b', 1)]);
  expect(hostsOf({ RABBITMQ_HOST: 'a', RABBITMQ_TLS: 'true' })).toEqual([node('a', 5671)]);
  expect(hostsOf({ RABBITMQ_HOST: 'a', RABBITMQ_TLS_CA: '/ca.pem' })).toEqual([node('a', 5671)]);
  expect(hostsOf({ RABBITMQ_URI: 'amqps://a,b:1' })).toEqual([node('a', 5671), node('b', 1)]);
});

test('user, password and virtual host are taken to the byte', () => {
  const odd = ' lead %41@:/?#[]\\é😀 trail ';
  const [RABBITMQ_USERNAME, RABBITMQ_PASSWORD, RABBITMQ_VHOST] = [`${odd}1`, `${odd}2`, `${odd}3`];
  const plain = { username: RABBITMQ_USERNAME, password: RABBITMQ_PASSWORD, vhost: RABBITMQ_VHOST };
  expect(parseConfig({ RABBITMQ_USERNAME, RABBITMQ_PASSWORD, RABBITMQ_VHOST }).broker).toMatchObject(plain);
  const [user, password, vhost] = Object.values(plain).map(encodeURIComponent);
  const uri = parseConfig({ RABBITMQ_URI: `amqp://${user}:${password}@host/${vhost}` });
  expect(uri.broker).toMatchObject(plain);
});

test.each<[string, Partial<BrokerConfig>]>([
  ['amqp://', { username: 'guest', password: 'guest', vhost: '/' }],
  ['amqp://h/', { vhost: '/' }],
  ['amqp://h/%2F', { vhost: '/' }],
  ['amqp://h/..', { vhost: '..' }],
  ['amqp://h/a/b', { vhost: 'a/b' }],
  ['amqp://u@h', { username: 'u', password: '' }],
  ['amqp://u:p@ss@h', { username: 'u', password: 'p@ss' }],
  ['amqp://u:100%@h', { password: '100%' }],
  ['AMQP://u:p@h', { username: 'u' }],
  ['amqp://u:p@a/v,amqp://u:p@b:1/v', { hosts: [node('a'), node('b', 1)], vhost: 'v' }],
  ['amqp://h?heartbeat=7&channel_max=9&frame_max=8192&locale=x', { heartbeatSeconds: 7, channelMax: 9 }],
  ['amqps://h?server_name_indication=n&verify=verify_peer', { serverName: 'n', encrypted: true }],
  ['amqps://h?cacertfile=/ca&certfile=/c&keyfile=%2Fk', { tls: { ca: '/ca', cert: '/c', key: '/k' } }],
  ['amqps://h?auth_mechanism=external&certfile=/c&keyfile=/k', { mechanism: 'EXTERNAL' }],
])('RABBITMQ_URI=%s is understood', (RABBITMQ_URI, broker) => {
  expect(parseConfig({ RABBITMQ_URI }).broker).toMatchObject(broker);
});

test.each<[Record<string, string>, RegExp]>([
  [{ RABBITMQ_HOST: 'amqp://h' }, /^RABBITMQ_HOST must be a host, not a URL: RABBITMQ_URI/],
  [{ RABBITMQ_HOST: 'a b' }, /^RABBITMQ_HOST must be hosts like/],
  [{ RABBITMQ_HOST: 'a:0' }, /^RABBITMQ_HOST has the port 0/],
  [{ RABBITMQ_HOST: ',' }, /^RABBITMQ_HOST must name a host/],
  [{ RABBITMQ_URI: 'http://h' }, /^RABBITMQ_URI must be a URI like amqp:/],
  [{ RABBITMQ_URI: 'amqp://u:sec/ret@h' }, /^RABBITMQ_URI must be a URI like amqp:/],
  [{ RABBITMQ_URI: 'amqp://u:sec#ret@h' }, /^RABBITMQ_URI must be a URI like amqp:/],
  [{ RABBITMQ_URI: 'amqp://u:sec%E9ret@h' }, /^RABBITMQ_URI holds percent escapes that are no UTF-8/],
  [{ RABBITMQ_URI: 'amqp://u:secret@a,u:secret@b' }, /^RABBITMQ_URI must name the user once/],
  [{ RABBITMQ_URI: 'amqp://u:secret@a,amqp://u:other@b' }, /^RABBITMQ_URI must hold URIs that differ in/],
  [{ RABBITMQ_URI: 'amqp://h?connection_timeout=3' }, /^RABBITMQ_URI has the parameter connection_timeout, /],
  [{ RABBITMQ_URI: 'amqps://h?ssl_options=x' }, /ssl_options, .*RABBITMQ_TLS_CA/],
  [{ RABBITMQ_URI: 'amqps://h?verify=verify_none' }, /verify=verify_none: .*RABBITMQ_TLS_CA/],
  [{ RABBITMQ_URI: 'amqp://h?heartbeat=soon' }, /heartbeat=soon: it must be a whole number/],
  [{ RABBITMQ_URI: 'amqp://h?heartbeat=1&heartbeat=2' }, /heartbeat twice/],
  [{ RABBITMQ_URI: 'amqp://h?auth_mechanism=EXTERNAL' }, /needs amqps:/],
  [{ RABBITMQ_URI: 'amqps://h?auth_mechanism=EXTERNAL' }, /set RABBITMQ_TLS_CERT/],
  [{ RABBITMQ_URI: 'amqp://h', RABBITMQ_TLS_CA: '/ca' }, /^RABBITMQ_URI must begin with amqps:/],
  [{ RABBITMQ_TLS: 'false', RABBITMQ_TLS_CA: '/ca' }, /^RABBITMQ_TLS is false, and/],
  [{ RABBITMQ_TLS_CERT: '/c' }, /^RABBITMQ_TLS_CERT and RABBITMQ_TLS_KEY belong together/],
  [{ RABBITMQ_VHOST: 'x'.repeat(256) }, /^RABBITMQ_VHOST may have 255 bytes/],
])('%j is refused with its reason, and no secret in it', (environment, reason) => {
  const problems = problemsOf(environment);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(reason);
  expect(problems[0]).not.toMatch(/sec|ret/);
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
