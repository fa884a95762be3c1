import { afterAll, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinaries } from '../../src/commands/servers/binaries.ts';
import { finished, output } from '../../src/commands/servers/finished.ts';
import { withFiles } from '../../src/process/load-config.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { parseEnvironment, readText, repository } from '../support/repository.ts';

interface Service {
  build?: { args?: Record<string, string> };
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string>;
  ports?: (string | { host_ip?: string; published: number | string; target: number })[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  volumes?: (string | { source: string; target: string })[];
  networks?: Record<string, { aliases?: string[] } | null>;
}
type Services = Record<string, Service>;

const folder = await mkdtemp(join(tmpdir(), 'confab-compose-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const compose = findBinaries().compose ?? [];
if (compose.length === 0) throw new Error('docker-compose is not on this machine');

/** What compose makes of the file, with `.env` as given and nothing of ours in the environment. */
async function services(
  name: string,
  options: { dotEnv?: string; PORT?: string; files?: string[] } = {},
): Promise<Services> {
  const copy = join(folder, name);
  await mkdir(copy, { recursive: true });
  const { files = ['docker-compose.yml'] } = options;
  for (const file of [...files, 'Dockerfile', 'deploy'])
    await cp(join(repository, file), join(copy, file), { recursive: true });
  if (options.dotEnv !== undefined) await Bun.write(join(copy, '.env'), options.dotEnv);
  const run = Bun.spawn([...compose, ...files.flatMap((file) => ['-f', file]), 'config'], {
    cwd: copy,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      ...(options.PORT === undefined ? {} : { PORT: options.PORT }),
    },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const { status: code, out, err } = await finished(run);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return (Bun.YAML.parse(out) as { services: Services }).services;
}

const plain = await services('plain');
const example = await services('example', { dotEnv: await readText('.env.example') });
const ours = ['migrate', 'api', 'worker', 'gateway'] as const;

/** The volumes of one project, as folders. */
async function newVolumes(): Promise<string> {
  const root = join(folder, crypto.randomUUID());
  for (const name of ['secrets', 'passwords', 'access', 'volumes/postgres', 'volumes/rabbitmq'])
    await mkdir(join(root, name), { recursive: true });
  return root;
}

/** Runs the service `secret` on these volumes; what it says. */
async function runSecret(
  { secret }: Services,
  root: string,
  verb = secret?.command?.[0] ?? '',
): Promise<string> {
  const [bun, ...rest] = secret?.entrypoint ?? [];
  expect(bun).toBe('bun');
  const environment = Object.fromEntries(
    Object.entries(secret?.environment ?? {}).map(([name, value]) => [name, String(value)]),
  );
  return output([process.execPath, '--no-env-file', ...rest, verb], {
    cwd: repository,
    env: { PATH: process.env.PATH ?? '', ...environment, VOLUMES_ROOT: root },
  });
}

/** What a container makes of its environment and of the files in its volumes. */
function containerConfig(all: Services, name: string, root: string) {
  const environment = Object.entries(all[name]?.environment ?? {}).map(([variable, value]) => {
    const inVolume = variable.endsWith('_FILE') && value !== '';
    const mounted = JSON.stringify(all[name]?.volumes);
    if (inVolume) expect(mounted).toContain(`:/${value.split('/')[1]}:ro`);
    return [variable, inVolume ? join(root, value) : value];
  });
  const needsSecret = name === 'api' || name === 'gateway';
  const uses = { migrate: ['postgres'], gateway: ['postgres', 'redis'] } as const;
  const servers = uses[name as keyof typeof uses] ?? ['postgres', 'redis', 'rabbitmq'];
  return parseConfig(withFiles(Object.fromEntries(environment)), { needsSecret, servers });
}

const plainVolumes = await newVolumes();
const exampleVolumes = await newVolumes();
const said = {
  plain: await runSecret(plain, plainVolumes),
  example: await runSecret(example, exampleVolumes),
};

/** Published ports as `host:port:target`; compose 1 and 2 write them differently. */
function published(service: Service | undefined): string[] {
  return (service?.ports ?? []).map((port) => {
    if (typeof port === 'string') return port.replace('/tcp', '');
    const { host_ip, published: host, target } = port;
    return [...(host_ip ? [host_ip] : []), host, target].join(':');
  });
}

/** Of a URL, or as it is. */
const secretOf = (text: string | undefined): string | undefined =>
  text?.includes('://') ? decodeURIComponent(new URL(text).password) : text;

for (const [name, all, volumes] of [
  ['without a .env', plain, plainVolumes],
  ['with .env.example as .env', example, exampleVolumes],
] as const) {
  describe(`compose ${name}`, () => {
    test('has the servers, the one-shots, the three processes and Kong', () => {
      expect(Object.keys(all).sort()).toEqual(
        ['postgres', 'redis', 'rabbitmq', 'secret', 'roles', ...ours, 'kong'].sort(),
      );
    });

    test('gives each container addresses of containers, never localhost', () => {
      for (const service of ours) {
        const config = containerConfig(all, service, volumes);
        const role = service === 'migrate' ? 'postgres' : 'confab';
        expect(config.database.url).toBe(`postgres://${role}@postgres:5432/chat`);
        expect(config.redis).toMatchObject({ kind: 'server', nodes: [{ host: 'redis', port: 6379 }] });
        expect(config.broker).toMatchObject({ hosts: [{ host: 'rabbitmq', port: 5672 }], vhost: '/' });
        expect(JSON.stringify(all[service]?.environment)).not.toMatch(/localhost|127\.0\.0\.1/);
      }
    });

    test('sets the worker flag in the worker alone, production and the proxy everywhere', () => {
      for (const service of ours) {
        const config = containerConfig(all, service, volumes);
        expect(config.host).toBe('::');
        expect(config.worker.enabled).toBe(service === 'worker');
        expect(config.environment).toBe('production');
        expect(config.trustProxy).toBe(true);
      }
    });

    test('leaves every other variable at its default', () => {
      const config = containerConfig(all, 'api', volumes);
      const { worker, database, trustProxy, auth, redis, broker, warnings, ...rest } = config;
      const defaults = parseConfig({ NODE_ENV: 'production' }, { needsSecret: false });
      expect(defaults).toMatchObject(rest);
      expect({ ...database, url: '', password: '' }).toEqual({ ...defaults.database, url: '', password: '' });
      expect({ ...auth, secret: '' }).toEqual({ ...defaults.auth, secret: '' });
      expect({ ...worker, enabled: false }).toEqual(defaults.worker);
      expect({ ...broker, hosts: [], password: '' }).toEqual({ ...defaults.broker, hosts: [], password: '' });
    });

    test('publishes Kong on 3000 and the servers to this machine alone', () => {
      expect(published(all.kong)).toEqual(['3000:8000']);
      expect(published(all.postgres)).toEqual(['127.0.0.1:5432:5432']);
      expect(published(all.redis)).toEqual(['127.0.0.1:6379:6379']);
      expect(published(all.rabbitmq)).toEqual(['127.0.0.1:5672:5672', '127.0.0.1:15672:15672']);
      for (const service of ours) expect(published(all[service])).toEqual([]);
    });
  });
}

test('without a .env every server has a password of its own, and nobody warns', async () => {
  const config = containerConfig(plain, 'api', plainVolumes);
  const owner = containerConfig(plain, 'migrate', plainVolumes);
  const secrets = [
    owner.database.password,
    config.database.password,
    config.redis.password,
    config.broker.password,
    config.auth.secret,
  ].map(secretOf);
  expect(new Set(secrets).size).toBe(5);
  for (const secret of secrets) expect(Buffer.from(secret ?? '', 'base64url')).toHaveLength(32);
  expect([...config.warnings, ...owner.warnings]).toEqual([]);
  expect(said.plain).toBe('');
});

test('with .env.example as .env the servers have what it says, and each process warns', () => {
  const config = containerConfig(example, 'api', exampleVolumes);
  const owner = containerConfig(example, 'migrate', exampleVolumes);
  expect([owner.database.password, config.broker.password].map(secretOf)).toEqual(['postgres', 'guest']);
  expect(config.redis.password).toBeUndefined();
  const warned = [...owner.warnings, ...config.warnings].map((warning) => warning.split(' ')[0]);
  expect(warned).toEqual(['DATABASE_PASSWORD', 'REDIS_PASSWORD', 'RABBITMQ_PASSWORD']);
  // The role of the processes is in no .env: it has a password of its own all the same.
  expect(config.database.password).toHaveLength(43);
  expect(said.example.match(/has the password that everybody knows, as .env says/g)).toHaveLength(2);
  expect(said.example).toContain('Redis has no password, as .env says.');
  // Nobody gets in with what a stranger's .env would not have.
  expect(secretOf(config.auth.secret)).toHaveLength(43);
});

/** What a server's image is started with: its arguments, a line each, and what it is asked to print. */
async function startedWith(name: string, environment: Record<string, string>, print: string) {
  const { entrypoint = [], command = [], volumes = [] } = plain[name] ?? {};
  const bin = join(folder, `bin-${crypto.randomUUID()}`);
  await Bun.write(join(bin, 'docker-entrypoint.sh'), `#!/bin/sh\nprintf '%s\\n' "$@"\n${print}\n`);
  await chmod(join(bin, 'docker-entrypoint.sh'), 0o755);
  const mounted = JSON.stringify(volumes);
  expect(mounted).toContain('passwords:/passwords:ro');
  let line = entrypoint.map((part) => part.replaceAll('$$', '$'));
  if (mounted.includes('/confab')) {
    expect(mounted).toContain(`deploy/${name}:/confab:ro`);
    const script = await readText(`deploy/${name}/entrypoint.sh`);
    await Bun.write(join(bin, 'entrypoint.sh'), script.replaceAll('/passwords', `${plainVolumes}/passwords`));
    line = line.map((part) => part.replace('/confab', bin));
  }
  const printed = await output(
    [...line.map((part) => part.replaceAll('/passwords', `${plainVolumes}/passwords`)), ...command],
    { env: { PATH: `${bin}:${process.env.PATH}`, ...environment } },
  );
  return printed.trimEnd().split('\n');
}

test('each server is given the password that the others have', async () => {
  const { redis, broker } = containerConfig(plain, 'worker', plainVolumes);
  const { database } = containerConfig(plain, 'migrate', plainVolumes);
  const postgres = await startedWith('postgres', {}, 'echo "$POSTGRES_PASSWORD"');
  expect(postgres).toEqual(['postgres', database.password ?? '']);
  const rabbitmq = await startedWith('rabbitmq', { CONFIGURATION: folder }, 'echo "$RABBITMQ_DEFAULT_PASS"');
  expect(rabbitmq).toEqual(['rabbitmq-server', secretOf(broker.password) ?? '']);
  const [program, ...words] = await startedWith('redis', {}, '');
  expect([program, ...words].slice(0, 5)).toEqual(['redis-server', '--save', '', '--appendonly', 'no']);
  const hash = createHash('sha256')
    .update(redis.password ?? '')
    .digest('hex');
  expect(words.slice(4, 8)).toEqual(['--user', 'default', 'on', `#${hash}`]);
  expect(plain.redis?.healthcheck?.test.join()).toContain('REDISCLI_AUTH="$$(cat /passwords/redis)"');
});

test("the servers' users may do what the documentation says, with the names that .env has, and no more", async () => {
  const rights = async (environment: Record<string, string>) =>
    (await startedWith('redis', environment, '')).slice(9).join(' ');
  const [, documented = ''] =
    /^user confab on ><REDIS_PASSWORD> (.+)$/m.exec(await readText('docs/redis.md')) ?? [];
  expect(await rights({})).toBe(documented);
  expect(await rights({ CHAT_NOTIFICATION_CHANNEL: 'mine' })).toBe(
    documented.replaceAll('chat.notifications', 'mine'),
  );
  expect(Object.keys(plain.redis?.environment ?? {})).toEqual(['CHAT_NOTIFICATION_CHANNEL']);

  const permissions = async (environment: Record<string, string>) => {
    await startedWith('rabbitmq', { CONFIGURATION: folder, ...environment }, '');
    return Bun.file(join(folder, '20-confab.conf')).text();
  };
  const allowed = async (environment: Record<string, string>) => {
    const text = await permissions(environment);
    expect(text).toContain('default_user_tags.administrator = false\n');
    const [configure, ...others] = [...text.matchAll(/^default_permissions\.\w+ = (.+)$/gm)].map(
      ([, names]) => names,
    );
    expect(others).toEqual([configure, configure]);
    const names = new RegExp(configure ?? '');
    return (name: string) => names.test(name);
  };
  const { broker } = parseConfig({});
  const usual = await allowed({});
  const own = await allowed({ RABBITMQ_CHAT_EXCHANGE: 'own', RABBITMQ_CHAT_QUEUE_PREFIX: 'own.send' });
  for (const name of [
    broker.exchange,
    broker.deadLetterExchange,
    broker.deadLetterQueue,
    `${broker.queuePrefix}.p1023`,
  ])
    expect({ name, usual: usual(name), own: own(name) }).toEqual({
      name,
      usual: true,
      own: /dlx|dlq/.test(name),
    });
  for (const name of ['own', 'own.send.p7']) expect([usual(name), own(name)]).toEqual([false, true]);
  for (const name of ['', 'amq.topic', 'chatXevents', 'chat.events2', 'chat.message.send.p7x', 'other'])
    expect({ name, usual: usual(name) }).toEqual({ name, usual: false });
  for (const variable of Object.keys(plain.rabbitmq?.environment ?? {}))
    if (variable.includes('_CHAT_')) expect(plain.api?.environment).toHaveProperty(variable);
});

test("who serves people has neither the database owner's password nor that of the tokens' secret, where it is not theirs", () => {
  const mounts = (name: string) => JSON.stringify(plain[name]?.volumes ?? []);
  for (const name of ['api', 'worker', 'gateway']) expect(mounts(name)).not.toContain('passwords');
  for (const name of ['worker', 'migrate', 'roles']) expect(mounts(name)).not.toContain('secrets');
  expect(mounts('kong')).not.toMatch(/passwords|access|secrets/);
});

describe('the passwords', () => {
  const passwords = (all: Services, root: string) => {
    const { redis, broker } = containerConfig(all, 'worker', root);
    const { database } = containerConfig(all, 'migrate', root);
    return [database.password, secretOf(broker.password), redis.password];
  };

  test('stay, with a .env and without one, in whatever order', async () => {
    const root = await newVolumes();
    await runSecret(plain, root);
    const first = passwords(plain, root);
    expect(await runSecret(plain, root)).toBe('');
    expect(passwords(plain, root)).toEqual(first);
    // PostgreSQL and RabbitMQ have theirs in their volumes by now; Redis keeps nothing.
    const notes = await runSecret(example, root);
    expect(passwords(example, root)).toEqual([...first.slice(0, 2), undefined]);
    expect(notes.match(/keeps the password that was made for it/g)).toHaveLength(2);
  });

  test('of volumes that an older compose file has made are what they were, and that is said', async () => {
    const root = await newVolumes();
    await Bun.write(join(root, 'volumes/rabbitmq/mnesia'), '');
    await Bun.write(join(root, 'volumes/postgres/PG_VERSION'), '17');
    const notes = await runSecret(plain, root);
    const [postgres, rabbitmq, redis] = passwords(plain, root);
    expect([postgres, rabbitmq, redis?.length]).toEqual(['postgres', 'guest', 43]);
    expect(notes.match(/was made with the password that everybody knows, and keeps it/g)).toHaveLength(2);
    expect(containerConfig(plain, 'worker', root).warnings).toHaveLength(1);
    expect(containerConfig(plain, 'migrate', root).warnings).toHaveLength(1);
  });

  test('may be any that .env gives, to the byte, and a new one of yours wins', async () => {
    const odd = 'p@ss/word#1 \'of\' "mine"';
    const own = await services('odd', {
      dotEnv: ['POSTGRES_PASSWORD', 'RABBITMQ_PASSWORD', 'REDIS_PASSWORD']
        .map((name) => `${name}="${odd.replaceAll('"', '\\"')}"`)
        .join('\n'),
    });
    const root = await newVolumes();
    await runSecret(plain, root);
    expect(await runSecret(own, root)).toBe('');
    expect(passwords(own, root)).toEqual([odd, odd, odd]);
    expect(containerConfig(own, 'worker', root).warnings).toEqual([]);
  });

  test('are shown for processes on the host, and are for the user of the containers alone', async () => {
    const shown = parseEnvironment(await runSecret(plain, plainVolumes, 'show'));
    const host = parseConfig(shown);
    expect([host.database.password, shown.RABBITMQ_PASSWORD, host.redis.password]).toEqual(
      passwords(plain, plainVolumes),
    );
    expect(host.auth.secret).toBe(containerConfig(plain, 'api', plainVolumes).auth.secret);
    const servers = ['postgres', 'rabbitmq', 'redis'];
    const files = ['passwords', 'access'].flatMap((volume) => servers.map((server) => `${volume}/${server}`));
    for (const file of ['secrets/jwt-secret', ...files])
      expect((await stat(join(plainVolumes, file))).mode & 0o777).toBe(0o600);
    // Who stores messages signs no tokens.
    for (const name of ['worker', 'migrate']) expect(JSON.stringify(plain[name])).not.toContain('jwt');
  });

  test('the secret of the tokens is the one that an older compose file has made', async () => {
    const root = await newVolumes();
    const older = Buffer.from(crypto.getRandomValues(new Uint8Array(48))).toString('base64');
    await Bun.write(join(root, 'secrets/jwt-secret'), `${older}\n`);
    await runSecret(plain, root);
    expect(containerConfig(plain, 'gateway', root).auth.secret).toBe(older);
  });
});

test('PORT moves Kong and nothing else', async () => {
  const moved = await services('port', { PORT: '8080' });
  expect(published(moved.kong)).toEqual(['8080:8000']);
  expect(moved.api?.environment?.PORT).toBe('3000');
});

test('with docker-compose.tls.yml Kong has a certificate, and plain HTTP is where PORT says', async () => {
  const { kong, ...others } = await services('tls', {
    PORT: '127.0.0.1:3000',
    files: ['docker-compose.yml', 'docker-compose.tls.yml'],
  });
  expect(published(kong).sort()).toEqual(['127.0.0.1:3000:8000', '443:8443']);
  expect(kong?.environment).toMatchObject({
    ...plain.kong?.environment,
    KONG_SSL_CERT: '/certificates/tls.crt',
    KONG_SSL_CERT_KEY: '/certificates/tls.key',
    KONG_PROXY_LISTEN: expect.stringContaining(':8443 ssl'),
  });
  expect(JSON.stringify(kong?.volumes)).toContain('certificates:/certificates:ro');
  for (const [name, service] of Object.entries(others))
    expect(service.environment).toEqual(plain[name]?.environment);
});

test('what .env says reaches the containers, its addresses do not', async () => {
  const set = await services('own', {
    dotEnv: [
      'JWT_SECRET=an own secret of more than thirty-two bytes',
      'BUILD_COMMIT=0123abc',
      'REDIS_HOST=localhost',
      'REDIS_PORT=6380',
      'REDIS_URL=rediss://localhost',
      'REDIS_SENTINELS=localhost',
      'REDIS_PASSWORD=own',
      'RABBITMQ_URI=amqp://localhost',
      'RABBITMQ_PASSWORD=own',
      'DATABASE_URL=postgres://localhost/own',
      // Of a server on the host's side: the container's speaks no TLS.
      'DATABASE_TLS_CA=/etc/ssl/ca.pem',
      'CHAT_WORKER_ENABLED=true',
      'NODE_ENV=development',
      'HOST=127.0.0.1',
      'CORS_ORIGINS=https://app.example.com',
      'JWT_ACCESS_TTL=5m',
    ].join('\n'),
  });
  const root = await newVolumes();
  await runSecret(set, root);
  const config = containerConfig(set, 'api', root);
  expect(config).toMatchObject({
    environment: 'production',
    host: '::',
    database: {
      url: 'postgres://confab@postgres:5432/chat',
      password: (await Bun.file(join(root, 'access/postgres')).text()).replace('\n', ''),
      tls: { ca: undefined },
    },
    redis: { nodes: [{ host: 'redis', port: 6379 }], password: 'own' },
    broker: { hosts: [{ host: 'rabbitmq', port: 5672 }], username: 'guest', password: 'own' },
    worker: { enabled: false },
    corsOrigins: ['https://app.example.com'],
    auth: { secret: 'an own secret of more than thirty-two bytes', accessTtlSeconds: 300 },
  });
  expect(published(set.redis)).toEqual(['127.0.0.1:6380:6379']);
  for (const name of ours) expect(set[name]?.build?.args).toEqual({ BUILD_COMMIT: '0123abc' });
});

test('no variable is forgotten: each is set, or handed on from .env', async () => {
  const fromFiles = ['DATABASE_PASSWORD', 'REDIS_PASSWORD', 'RABBITMQ_PASSWORD'];
  const known = Object.keys(parseEnvironment(await readText('.env.example'))).map((name) =>
    fromFiles.includes(name) ? `${name}_FILE` : name,
  );
  // The data folder is the single process's; one URI in place of the parts would be an address, as Sentinels and nodes of a cluster are; of the
  // servers here none speaks TLS, and Redis has no user but its own; the image knows its commit.
  const notForContainers = [
    ...[
      'DATA_DIR',
      'RABBITMQ_URI',
      'RABBITMQ_TLS',
      'REDIS_URL',
      'REDIS_USERNAME',
      'REDIS_TLS',
      'REDIS_CLUSTER',
      'BUILD_COMMIT',
    ],
    ...known.filter((name) => name.startsWith('REDIS_SENTINEL')),
    ...known.filter((name) => /_TLS_(?:CA|CERT|KEY)$/.test(name)),
  ];
  for (const service of ours) {
    const checksTokens = service === 'api' || service === 'gateway';
    const left = [...notForContainers, ...(checksTokens ? [] : ['JWT_SECRET', 'JWT_SECRET_PREVIOUS'])];
    const more = checksTokens ? ['JWT_SECRET_FILE'] : [];
    expect(Object.keys(plain[service]?.environment ?? {}).sort()).toEqual(
      [...known.filter((name) => !left.includes(name)), ...more].sort(),
    );
  }
});

test('nothing starts before what it needs is healthy, and each long-running service is watched', () => {
  const conditions = (name: string) =>
    Object.fromEntries(
      Object.entries(plain[name]?.depends_on ?? {}).map(([on, { condition }]) => [on, condition]),
    );
  expect(conditions('roles')).toEqual({ postgres: 'service_healthy' });
  expect(conditions('migrate')).toEqual({ roles: 'service_completed_successfully' });
  const made = { secret: 'service_completed_successfully' };
  for (const name of ['postgres', 'redis', 'rabbitmq']) expect(conditions(name)).toEqual(made);
  const servers = {
    ...made,
    migrate: 'service_completed_successfully',
    postgres: 'service_healthy',
    redis: 'service_healthy',
    rabbitmq: 'service_healthy',
  };
  for (const name of ['api', 'worker', 'gateway']) expect(conditions(name)).toEqual(servers);
  expect(conditions('kong')).toEqual({
    api: 'service_healthy',
    worker: 'service_healthy',
    gateway: 'service_healthy',
  });
  for (const name of ['postgres', 'redis', 'rabbitmq', 'api', 'worker', 'gateway', 'kong'])
    expect(plain[name]?.healthcheck?.test.length).toBeGreaterThan(1);
});

test('the commands name files that are in the image', async () => {
  for (const name of ours) {
    const [bun, file = ''] = plain[name]?.command ?? [];
    expect(bun).toBe('bun');
    expect((await stat(join(repository, file))).isFile()).toBe(true);
  }
});

test('Kong runs without a database on the file of this repository, and finds the api by the name in it', () => {
  expect(plain.kong?.environment).toMatchObject({
    KONG_DATABASE: 'off',
    KONG_DECLARATIVE_CONFIG: '/kong/kong.yml',
  });
  expect(JSON.stringify(plain.kong?.volumes)).toContain('deploy/kong');
  expect(plain.api?.networks?.default?.aliases).toEqual(['chat-be']);
});

test('the image is not run as root and takes in nothing but the program', async () => {
  const dockerfile = await readText('Dockerfile');
  expect(dockerfile.match(/^USER (.+)$/m)?.[1]).toBe('1000:1000');
  expect(dockerfile).toContain('ENV HOST=::');
  // Of the last stage: an argument of one before it is not known there.
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
  expect(last).toMatch(/^ARG BUILD_COMMIT=unknown\nENV BUILD_COMMIT=\$\{BUILD_COMMIT\}$/m);
  // `bun install` fails without the patches that package.json names.
  expect(dockerfile).toContain('COPY patches ./patches');
  const ignored = (await readText('.dockerignore'))
    .split('\n')
    .filter((line) => line && !line.startsWith('#'));
  expect(ignored).toEqual([
    '*',
    '!bun.lock',
    '!bunfig.toml',
    '!package.json',
    '!patches',
    '!tsconfig.json',
    '!drizzle',
    '!client',
    '!src',
    '!web',
  ]);
});
