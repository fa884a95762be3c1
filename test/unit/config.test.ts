import { describe, expect, test } from 'bun:test';
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { parseConnectionString } from '../../src/shared/config/connection-string.ts';
import { type BrokerConfig, ConfigError, type ConfigOptions, parseConfig } from '../../src/shared/config.ts';

const good = 'mIdR0yI5mQmxXl2pVnq3bq2cZz1hJw8k';
const pemOf = (key: KeyObject) => String(key.export({ type: 'spki', format: 'pem' }));

function problemsOf(environment: Record<string, string>, options?: ConfigOptions): readonly string[] {
  try {
    parseConfig(environment, options);
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
  expect(parseConfig({ RABBITMQ_URI: '', PORT: ' ', JWT_SECRET: '' })).toEqual(parseConfig({}));
});

test('secrets are taken to the byte, other values without the space around them', () => {
  const spaced = ' lead and trail ';
  const secret = ` a secret with a space at both ends ${spaced}`;
  const config = parseConfig({
    JWT_SECRET: secret,
    REDIS_PASSWORD: spaced,
    RABBITMQ_PASSWORD: spaced,
    DATABASE_PASSWORD: spaced,
    DATABASE_URL: 'postgres://confab@db/chat',
    REDIS_HOST: ' redis ',
    PORT: ' 8080 ',
  });
  expect(config.auth.secret).toBe(secret);
  expect(config.redis).toMatchObject({ nodes: [{ host: 'redis', port: 6379 }], password: spaced });
  expect(config.broker.password).toBe(spaced);
  expect(config.database.password).toBe(spaced);
  expect(config.port).toBe(8080);
  expect(parseConfig({ REDIS_PASSWORD: '   ' }).redis.password).toBe('   ');
});

test.each(['p@ss/word#1', 'a:b', '100%', 'ü 🧭', '\'"`$HOME\\', '%41', '?host=evil', 'postgres://x:y@z/'])(
  'DATABASE_PASSWORD %p comes to the server as it is, whatever the URL holds',
  (password) => {
    for (const url of [
      'postgres://confab@db:5433/chat?sslmode=require',
      'postgresql://confab:other@db:5433/chat',
      'postgres://db:5433/chat',
    ]) {
      const { database } = parseConfig({ DATABASE_URL: url, DATABASE_PASSWORD: password });
      const target = parseConnectionString(database.url, database);
      expect(target.hosts).toEqual([{ name: 'db', address: undefined, port: 5433 }]);
      expect(target.password).toBe(password);
    }
  },
);

test('a service token that no header can carry is refused', () => {
  const token = 'a service token that is long enough for it';
  expect(parseConfig({ SERVICE_TOKEN: `  ${token}\n` }).auth.serviceTokens).toEqual([token]);
  expect(parseConfig({}).auth.serviceTokens).toEqual([]);
  for (const bad of [`${token}ü`, `${token}\nX: y`, `${token}\u0000`]) {
    expect(problemsOf({ SERVICE_TOKEN: bad })).toEqual([
      'SERVICE_TOKEN may hold visible ASCII characters and spaces only: it travels in a header',
    ]);
  }
});

test('of service tokens there are two at most, none of them short', () => {
  const [one, two] = ['the first of two service tokens here', 'the second of two service tokens here'];
  expect(parseConfig({ SERVICE_TOKEN: `${one}, ${two} ` }).auth.serviceTokens).toEqual([one, two]);
  const short = 'SERVICE_TOKEN must have at least 32 bytes; of two, separated by a comma, each must';
  for (const bad of [
    'x',
    `${one},`,
    `,${one}`,
    `${one},short`,
    'half of it is long,but each is too short',
    ',',
  ])
    expect(problemsOf({ SERVICE_TOKEN: bad })).toEqual([short]);
  expect(problemsOf({ SERVICE_TOKEN: `${one},${two},${one}` })).toEqual([
    'SERVICE_TOKEN may be two at most: the one in use, and the one before or after it',
  ]);
  // Both are looked at.
  const weak = `${randomBytes(32).toString('hex')},${'changeme'.repeat(4)}`;
  expect(problemsOf({ NODE_ENV: 'production', JWT_SECRET: good, SERVICE_TOKEN: weak })).toEqual([
    expect.stringMatching(/^SERVICE_TOKEN repeats itself/),
  ]);
});

test('words mean the same in any case', () => {
  const config = parseConfig({ LOG_LEVEL: 'INFO', NODE_ENV: 'Test', TRUST_PROXY: 'TRUE' });
  expect(config).toMatchObject({ logLevel: 'info', environment: 'test', trustProxy: true });
  for (const yes of ['true', 'True', '1', 'yes', 'ON']) {
    expect(parseConfig({ TRUST_PROXY: yes }).trustProxy).toBe(true);
  }
  for (const no of ['false', 'FALSE', '0', 'no', 'off']) {
    expect(parseConfig({ RATE_LIMIT_ENABLED: no }).rateLimits.enabled).toBe(false);
  }
  expect(problemsOf({ NODE_ENV: 'PRODUCTION' })).toEqual([
    'JWT_SECRET is required in production: at least 32 random bytes',
  ]);
});

test.each(['prod', 'staging', 'Live'])('NODE_ENV=%s is named, with what to set', (name) => {
  expect(problemsOf({ NODE_ENV: name })).toEqual([
    `NODE_ENV=${name} must be development, production or test; whatever others reach (staging, too) runs as production`,
  ]);
});

test('what Kubernetes says of services that are called like our variables is no port', () => {
  const links = {
    PORT: 'tcp://10.43.1.1:80',
    GATEWAY_PORT: 'tcp://10.43.1.2:3001',
    WORKER_PORT: 'udp://10.43.1.3:3002',
    REDIS_PORT: 'tcp://10.43.1.4:6380',
    RABBITMQ_PORT: 'tcp://[fd00::5]:5672',
    REDIS_PORT_6379_TCP: 'tcp://10.43.1.4:6379',
    REDIS_SERVICE_HOST: '10.43.1.4',
  };
  const { warnings, ...config } = parseConfig(links);
  expect(parseConfig({})).toEqual({ ...config, warnings: [] });
  expect(warnings.map((warning) => warning.split('=')[0])).toEqual([
    ...['PORT', 'GATEWAY_PORT', 'WORKER_PORT', 'REDIS_PORT', 'RABBITMQ_PORT'],
  ]);
  expect(problemsOf({ REDIS_HOST: 'redis', REDIS_PORT: 'http://10.43.1.4:6379' })).toHaveLength(1);
});

test('it listens for this machine alone in development, for all in production, else where HOST says', () => {
  const production = { NODE_ENV: 'production', JWT_SECRET: good };
  expect(parseConfig({}).host).toBe('localhost');
  expect(parseConfig(production).host).toBe('::');
  expect(parseConfig({ ...production, HOST: '10.0.0.7' }).host).toBe('10.0.0.7');
  expect(parseConfig({ HOST: '[::1]' }).host).toBe('::1');
  expect(parseConfig({ HOST: 'LocalHost' }).host).toBe('localhost');
  expect(problemsOf({ HOST: 'http://localhost' })).toHaveLength(1);
});

test('the web client is served where that is said; unset it is left to the process', () => {
  expect(parseConfig({}).webClient).toBeUndefined();
  expect(parseConfig({ WEB_CLIENT: 'true' }).webClient).toBe(true);
  expect(parseConfig({ WEB_CLIENT: 'false' }).webClient).toBe(false);
  expect(problemsOf({ WEB_CLIENT: 'maybe' })).toHaveLength(1);
  // Who has no password cannot sign in there.
  const outside = { JWT_JWKS_URL: 'https://id.example.com/keys', JWT_ISSUER: 'https://id.example.com' };
  expect(problemsOf({ ...outside, WEB_CLIENT: 'true' })).toEqual([expect.stringContaining('WEB_CLIENT')]);
  expect(parseConfig({ ...outside, WEB_CLIENT: 'false' }).webClient).toBe(false);
});

test('the pause before the end is 5 s in production, none in development, and never longer than the end may take', () => {
  const production = { NODE_ENV: 'production', JWT_SECRET: good };
  expect(parseConfig({}).shutdownDelayMs).toBe(0);
  expect(parseConfig(production).shutdownDelayMs).toBe(5_000);
  expect(parseConfig({ ...production, SHUTDOWN_DELAY: '0' }).shutdownDelayMs).toBe(0);
  expect(parseConfig({ SHUTDOWN_DELAY: '1500ms' }).shutdownDelayMs).toBe(1_500);
  for (const bad of ['21s', '5', '-1s', 'soon']) {
    expect(problemsOf({ SHUTDOWN_DELAY: bad }), bad).toHaveLength(1);
  }
});

test('PostgreSQL: a password to the letter, a pool, certificates as paths or PEM', () => {
  const { database } = parseConfig({
    DATABASE_URL: ' postgres://u@h/chat\n',
    DATABASE_PASSWORD: ' p@ss/word#1 %41 ',
    DATABASE_POOL_MAX: '25',
    DATABASE_TLS_CA: '-----BEGIN CERTIFICATE-----\\nabc\\n-----END CERTIFICATE-----',
    DATABASE_TLS_CERT: '/run/secrets/cert.pem',
    DATABASE_TLS_KEY: '/run/secrets/key.pem',
  });
  expect(database).toEqual({
    url: 'postgres://u@h/chat',
    password: ' p@ss/word#1 %41 ',
    maxConnections: 25,
    tls: {
      ca: '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----',
      cert: '/run/secrets/cert.pem',
      key: '/run/secrets/key.pem',
    },
  });
  expect(parseConfig({}).database).toMatchObject({ password: undefined, maxConnections: 10 });
});

test('a DATABASE_URL that cannot be used is refused with what is wrong about it', () => {
  const reason = (environment: Record<string, string>) => problemsOf(environment).join();
  expect(reason({ DATABASE_URL: 'mysql://h/chat' })).toStartWith(
    'DATABASE_URL must be a URL that begins with',
  );
  expect(reason({ DATABASE_URL: 'postgres://u:p@ss@h/chat' })).toStartWith(
    'DATABASE_URL has more than one @',
  );
  expect(reason({ DATABASE_URL: 'postgres://u@h/chat?sslmode=disable', DATABASE_TLS_CA: '/ca.pem' })).toBe(
    'DATABASE_URL says sslmode=disable, and gives certificates',
  );
  expect(reason({ DATABASE_TLS_CERT: '/c.pem' })).toMatch(
    /a client certificate without its key.*: set both DATABASE_TLS_CERT and DATABASE_TLS_KEY$/,
  );
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
    RATE_LIMIT_ENABLED: 'maybe',
    CHAT_WORKER_BATCH_SIZE: '-1',
  });
  const named = problems.map((problem) => problem.split(/[ =]/)[0]);
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

describe('the way to Redis', () => {
  const redisOf = (environment: Record<string, string>) => parseConfig(environment).redis;
  const node = (host: string, port = 6379) => ({ host, port });

  test('is one server, unless something else is said', () => {
    const plain = { kind: 'server', nodes: [node('localhost')], encrypted: false, db: 0 } as const;
    expect(redisOf({})).toMatchObject({ ...plain, username: undefined, password: undefined });
    expect(redisOf({ REDIS_HOST: '::1', REDIS_PORT: '7' }).nodes).toEqual([node('::1', 7)]);
    expect(redisOf({ REDIS_HOST: '[fd00::3]:8', REDIS_PORT: '7' }).nodes).toEqual([node('fd00::3', 8)]);
  });

  test('REDIS_URL wins over the single variables', () => {
    const given = {
      REDIS_HOST: 'other',
      REDIS_PORT: '1',
      REDIS_USERNAME: 'x',
      REDIS_PASSWORD: 'x',
      REDIS_DB: '9',
    };
    const url = 'rediss://confab:p%40ss%2Fw:%rd@cache.example.com:6380/3';
    expect(redisOf({ ...given, REDIS_TLS: 'false', REDIS_URL: url })).toMatchObject({
      ...{ kind: 'server', nodes: [node('cache.example.com', 6380)], encrypted: true },
      ...{ username: 'confab', password: 'p@ss/w:%rd', db: 3 },
    });
    expect(redisOf({ ...given, REDIS_URL: 'redis://:secret@[::1]' })).toMatchObject({
      ...{ nodes: [node('::1')], encrypted: false, username: undefined, password: 'secret', db: 0 },
    });
    expect(redisOf({ ...given, REDIS_URL: 'redis://' })).toMatchObject({ nodes: [node('localhost')] });
  });

  test('certificates ask for TLS, and stand beside a URL', () => {
    expect(redisOf({ REDIS_TLS_CA: '/ca.pem' })).toMatchObject({ encrypted: true, tls: { ca: '/ca.pem' } });
    const url = redisOf({ REDIS_URL: 'rediss://r', REDIS_TLS_CERT: '/c.pem', REDIS_TLS_KEY: '/k.pem' });
    expect(url).toMatchObject({ encrypted: true, tls: { cert: '/c.pem', key: '/k.pem' } });
    expect(redisOf({ REDIS_TLS: 'true' }).encrypted).toBe(true);
  });

  test('is told by Sentinels', () => {
    const given = {
      REDIS_SENTINELS: 's1, s2:5, [::1]:6',
      REDIS_PASSWORD: 'pw',
      REDIS_DB: '2',
      REDIS_TLS: 'true',
    };
    expect(redisOf(given)).toMatchObject({
      ...{
        kind: 'sentinel',
        nodes: [node('s1', 26_379), node('s2', 5), node('::1', 6)],
        sentinelName: 'mymaster',
      },
      ...{ password: 'pw', db: 2, encrypted: true, sentinelPassword: undefined },
    });
    const named = { ...given, REDIS_SENTINEL_NAME: 'chat', REDIS_SENTINEL_PASSWORD: ' x ' };
    expect(redisOf(named)).toMatchObject({ sentinelName: 'chat', sentinelPassword: ' x ' });
  });

  test('is some nodes of a cluster', () => {
    const nodes = [node('a', 7), node('b', 8)];
    expect(redisOf({ REDIS_CLUSTER: 'true', REDIS_HOST: 'a,b:8', REDIS_PORT: '7' })).toMatchObject({
      ...{ kind: 'cluster', nodes },
    });
    const url = { REDIS_CLUSTER: 'true', REDIS_URL: 'rediss://:pw@a:7,b:8' };
    expect(redisOf(url)).toMatchObject({ kind: 'cluster', nodes, encrypted: true, password: 'pw' });
  });

  const several = /^REDIS_HOST names several hosts: set REDIS_CLUSTER=true/;
  test.each([
    [{ REDIS_HOST: 'redis://h' }, /^REDIS_HOST must be a host, not a URL: REDIS_URL takes one/],
    [{ REDIS_HOST: 'a,b' }, several],
    [{ REDIS_URL: 'redis://a,b' }, /^REDIS_URL names several hosts: /],
    [{ REDIS_URL: 'http://h' }, /^REDIS_URL must be a URL like redis:/],
    [{ REDIS_URL: 'redis://u:sec/ret@h' }, /^REDIS_URL must be a URL like redis:/],
    [{ REDIS_URL: 'redis://u:sec%E9ret@h' }, /^REDIS_URL holds percent escapes that are no UTF-8/],
    [{ REDIS_URL: 'redis://h/chat' }, /^REDIS_URL must end with the number of a database/],
    [{ REDIS_URL: 'redis://h?family=6' }, /^REDIS_URL has the parameter family, /],
    [{ REDIS_URL: 'redis://h', REDIS_TLS_CA: '/ca.pem' }, /^REDIS_URL must begin with rediss:/],
    [{ REDIS_TLS: 'false', REDIS_TLS_CA: '/ca.pem' }, /^REDIS_TLS is false, and certificates are given/],
    [{ REDIS_TLS_CERT: '/c.pem' }, /^REDIS_TLS_CERT and REDIS_TLS_KEY belong together/],
    [
      { REDIS_SENTINELS: 's', REDIS_CLUSTER: 'true' },
      /^REDIS_SENTINELS and REDIS_CLUSTER exclude each other/,
    ],
    [
      { REDIS_SENTINELS: 's', REDIS_URL: 'redis://h' },
      /^REDIS_URL names a server, and REDIS_SENTINELS are asked/,
    ],
    [{ REDIS_SENTINELS: 's:0' }, /^REDIS_SENTINELS has the port 0: it must be 1 to 65535/],
    [{ REDIS_CLUSTER: 'true', REDIS_DB: '1' }, /^REDIS_DB asks for database 1: a cluster has 0 alone/],
    [{ REDIS_CLUSTER: 'true', REDIS_URL: 'redis://h/2' }, /^REDIS_URL asks for database 2: /],
  ])('%o is refused, and shows no secret', (environment, reason) => {
    const problems = problemsOf(environment as Record<string, string>);
    expect(problems).toEqual([expect.stringMatching(reason)]);
    expect(problems[0]).not.toMatch(/sec\W?ret/);
  });
});

describe('credentials in production', () => {
  const servers = ['postgres', 'redis', 'rabbitmq'] as const;
  const own = {
    NODE_ENV: 'production',
    JWT_SECRET: good,
    DATABASE_URL: 'postgres://confab:aeGh1eiquohT@db/chat',
    REDIS_PASSWORD: 'Ooth7aephohs',
    RABBITMQ_USERNAME: 'confab',
    RABBITMQ_PASSWORD: 'eeNg3aiThoo0',
  };
  const choose = ': choose one of your own, or set ALLOW_DEFAULT_CREDENTIALS=true';

  test('the defaults are refused, each by its name, beside all else that is wrong', () => {
    const defaults = { NODE_ENV: 'production', JWT_SECRET: good, PORT: 'http' };
    expect(problemsOf(defaults, { servers })).toEqual([
      'PORT must be a whole number',
      `DATABASE_URL holds a password of PostgreSQL's user postgres that everybody knows${choose}`,
      `REDIS_PASSWORD is not set: Redis lets in whoever reaches it${choose}`,
      `RABBITMQ_PASSWORD holds a password of RabbitMQ's user guest that everybody knows${choose}`,
    ]);
  });

  test('one’s own are taken without a word', () => {
    expect(parseConfig(own, { servers }).warnings).toEqual([]);
  });

  test.each([
    ['DATABASE_URL', { DATABASE_URL: 'postgres://confab:confab@db/chat' }],
    ['DATABASE_URL', { DATABASE_URL: 'postgres://db/chat?user=me&password=me' }],
    ['DATABASE_URL', { DATABASE_URL: 'postgresql://me:p%6Fstgres@db/chat' }],
    ['DATABASE_PASSWORD', { DATABASE_URL: 'postgres://confab@db/chat', DATABASE_PASSWORD: 'changeme' }],
    ['REDIS_PASSWORD', { REDIS_PASSWORD: 'Redis' }],
    ['REDIS_PASSWORD', { REDIS_PASSWORD: 'foobared' }],
    ['REDIS_PASSWORD', { REDIS_USERNAME: 'chatty', REDIS_PASSWORD: 'chatty' }],
    ['REDIS_URL', { REDIS_URL: 'rediss://cache' }],
    ['REDIS_URL', { REDIS_URL: 'redis://confab:redis@cache' }],
    ['REDIS_PASSWORD', { REDIS_SENTINELS: 's', REDIS_PASSWORD: 'redis' }],
    ['REDIS_SENTINEL_PASSWORD', { REDIS_SENTINELS: 's', REDIS_SENTINEL_PASSWORD: 'admin' }],
    ['REDIS_URL', { REDIS_CLUSTER: 'true', REDIS_URL: 'redis://a,b' }],
    ['DATABASE_PASSWORD', { DATABASE_URL: 'postgres://confab@db/chat', DATABASE_PASSWORD: 'Qwertyuiop' }],
    ['RABBITMQ_PASSWORD', { RABBITMQ_USERNAME: 'chatty', RABBITMQ_PASSWORD: 'chatty' }],
    ['RABBITMQ_URI', { RABBITMQ_URI: 'amqps://broker' }],
    ['RABBITMQ_URI', { RABBITMQ_URI: 'amqp://confab:rabbitmq@broker/v' }],
  ])('refused, and %s named: %o', (variable, given) => {
    const problems = problemsOf({ ...own, ...given }, { servers });
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([variable]);
    const allowed = { ...own, ...given, ALLOW_DEFAULT_CREDENTIALS: 'true' };
    expect(parseConfig(allowed, { servers }).warnings).toEqual([String(problems[0]).replace(choose, '')]);
  });

  test('a PostgreSQL without a password may know its clients by a certificate or a socket', () => {
    for (const DATABASE_URL of ['postgres://confab@db/chat', 'postgres:///chat?host=/run']) {
      expect(problemsOf({ ...own, DATABASE_URL }, { servers })).toEqual([]);
    }
  });

  test('a Redis that asks for certificates needs no password', () => {
    const { REDIS_PASSWORD: _, ...without } = own;
    const files = { REDIS_TLS_CERT: '/c.pem', REDIS_TLS_KEY: '/k.pem' };
    expect(problemsOf({ ...without, ...files }, { servers })).toEqual([]);
  });

  test('matter for the servers that the process uses, and in production alone', () => {
    const { RABBITMQ_PASSWORD: _, ...gateway } = own;
    expect(problemsOf(gateway, { servers: ['postgres', 'redis'] })).toEqual([]);
    expect(problemsOf({ NODE_ENV: 'production' }, { needsSecret: false, servers: [] })).toEqual([]);
    expect(parseConfig({}, { servers }).warnings).toEqual([]);
  });
});

test('a server that is reached in plain text, and not by a private network, is warned of', () => {
  const warned = (given: Record<string, string>) =>
    parseConfig(
      { NODE_ENV: 'production', ALLOW_DEFAULT_CREDENTIALS: 'true', ...given },
      { needsSecret: false, servers: ['postgres', 'redis', 'rabbitmq'] },
    ).warnings.filter((warning) => warning.includes('without TLS'));
  const database = (host: string, query = '') => ({ DATABASE_URL: `postgres://u:p1@${host}/chat${query}` });

  for (const host of [
    ...[
      'localhost',
      '127.0.0.1',
      '[::1]',
      '10.1.2.3',
      '172.20.0.5',
      '192.168.1.9',
      '100.64.0.1',
      '[fd00::7]',
    ],
    ...['postgres', 'postgres.chat.svc', 'pg.chat.svc.cluster.local', 'db.internal'],
  ]) {
    expect(warned(database(host)), host).toEqual([]);
  }
  for (const host of [
    'db.example.com',
    '203.0.113.7',
    '172.32.0.1',
    '[2001:db8::1]',
    '10.1.2.3.example.com',
  ]) {
    expect(warned(database(host)), host).toHaveLength(1);
    expect(warned(database(host, '?sslmode=verify-full')), host).toEqual([]);
    expect(warned(database(host, '?sslmode=prefer')), host).toHaveLength(1);
  }
  const many = 'postgres://u@10.0.0.1:5432,[fd00::7]:5432,db.example.com:5432/chat';
  expect(warned({ DATABASE_URL: many })[0]).toContain('PostgreSQL at db.example.com is');
  expect(warned({ DATABASE_URL: 'postgres:///chat?host=/run/postgresql' })).toEqual([]);
  expect(warned({ REDIS_HOST: 'cache.example.com' })[0]).toContain('Redis at cache.example.com');
  expect(warned({ REDIS_URL: 'redis://cache.example.com' })).toHaveLength(1);
  expect(warned({ REDIS_URL: 'rediss://cache.example.com' })).toEqual([]);
  expect(warned({ REDIS_SENTINELS: 's1.internal,s2.example.com' })[0]).toContain(
    'Sentinel at s2.example.com is',
  );
  expect(warned({ REDIS_CLUSTER: 'true', REDIS_HOST: 'a,b.example.com' })[0]).toContain(
    'Redis at b.example.com is',
  );
  expect(warned({ RABBITMQ_URI: 'amqp://broker.example.com' })[0]).toContain('RabbitMQ');
  expect(warned({ RABBITMQ_URI: 'amqps://broker.example.com' })).toEqual([]);
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
      // Which would be two there.
      if (name === 'SERVICE_TOKEN' && secret.includes(',')) continue;
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
