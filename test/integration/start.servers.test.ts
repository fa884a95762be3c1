import { describe, expect, test } from 'bun:test';
import { createAdapters } from '../../src/adapters/adapters.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import { openReadyPostgres } from '../../src/db/open-ready-postgres.ts';
import { createLifecycle } from '../../src/process/lifecycle.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { createLog } from '../../src/shared/log.ts';
import { type Member, serverEnvironment, startMember } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson } from '../support/people.ts';
import { testProcesses, untilSays } from '../support/processes.ts';
import { openTestRedis } from '../support/redis.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const processes = testProcesses();
const entries = ['src/api.ts', 'src/worker.ts', 'src/gateway.ts'] as const;
const secret = 'a secret of at least thirty-two bytes';

async function environment(own: Record<string, string> = {}): Promise<Record<string, string>> {
  return {
    ...(await serverEnvironment(servers)),
    DATA_DIR: await processes.folder(),
    PORT: String(await freePort()),
    GATEWAY_PORT: String(await freePort()),
    WORKER_PORT: String(await freePort()),
    CHAT_WORKER_ENABLED: 'true',
    ...own,
  };
}

/** What an entry says that refuses to start; never the way through our code. */
async function refusal(entry: string, env: Record<string, string>): Promise<string> {
  const { code, output } = await processes.finish([entry], { LOG_LEVEL: 'fatal', ...env });
  expect(code).toBe(1);
  expect(output).not.toContain('    at ');
  return output.trimEnd();
}

describe('the worker flag', () => {
  test('false refuses, in one line that names the way', async () => {
    const line = await refusal('src/worker.ts', await environment({ CHAT_WORKER_ENABLED: 'false' }));
    expect(line.split('\n')).toHaveLength(1);
    expect(line).toContain('CHAT_WORKER_ENABLED is false');
    expect(line).toContain('bun run worker');
  });

  test('`bun run worker` sets it, whatever the environment says', async () => {
    const worker = await startMember(
      processes,
      'worker',
      await environment({ CHAT_WORKER_ENABLED: 'false' }),
    );
    const { status } = (await (await fetch(`${worker.url}/readyz`)).json()) as { status: string };
    expect(status).toBe('ready');
    worker.process.signal('SIGTERM');
    expect(await worker.process.exited).toBe(0);
  }, 60_000);

  test('true in the api makes it consume as well', async () => {
    const api = await startMember(processes, 'api', await environment());
    const deployment = { apiUrl: api.url, socketUrl: api.url };
    const [ada, bob] = await Promise.all([newPerson(deployment), newPerson(deployment)]);
    const chat = await ada.newChat(bob);
    await ada.send(chat.id, 'stored by the api');
    let stored: string[] = [];
    for (const end = Date.now() + 10_000; stored.length === 0 && Date.now() < end; await Bun.sleep(20)) {
      stored = (await bob.history(chat.id)).map(({ content }) => content);
    }
    expect(stored).toEqual(['stored by the api']);
    api.process.signal('SIGTERM');
    expect(await api.process.exited).toBe(0);
  }, 60_000);
});

describe('production', () => {
  test('api and gateway refuse without a secret, the worker needs none', async () => {
    const env = await environment({ NODE_ENV: 'production' });
    for (const entry of ['src/api.ts', 'src/gateway.ts'])
      expect(await refusal(entry, env)).toContain('JWT_SECRET is required in production');
    expect(await refusal('src/worker.ts', env)).toContain('bun run migrate');
  }, 30_000);

  test('a schema that is behind is refused until `bun run migrate` has run', async () => {
    const env = await environment({ NODE_ENV: 'production', JWT_SECRET: secret, SHUTDOWN_DELAY: '0' });
    for (const entry of entries) {
      const line = await refusal(entry, env);
      expect(line.split('\n')).toHaveLength(1);
      expect(line).toContain('run `bun run migrate`');
    }
    const { JWT_SECRET: _, ...withoutSecret } = env;
    const migrated = await processes.finish(['src/commands/migrate.ts'], withoutSecret);
    expect(migrated).toMatchObject({ code: 0, output: expect.stringContaining('The schema is up to date.') });
    const api = await startMember(processes, 'api', env);
    api.process.signal('SIGTERM');
    expect(await api.process.exited).toBe(0);
  }, 60_000);
});

test('another partition count than the recorded one refuses', async () => {
  const env = await environment();
  const api = await startMember(processes, 'api', env);
  await api.process.kill();
  const line = await refusal('src/worker.ts', { ...env, RABBITMQ_CHAT_PARTITION_COUNT: '4' });
  expect(line).toContain('RABBITMQ_CHAT_PARTITION_COUNT');
  expect(line).toContain('bun run repartition');
}, 60_000);

test('a taken port is one line that names its variable', async () => {
  const taken = Bun.serve({ port: 0, fetch: () => new Response() });
  const port = String(taken.port);
  const env = await environment({ PORT: port, GATEWAY_PORT: port, WORKER_PORT: port });
  for (const [entry, variable] of [
    ['src/api.ts', 'PORT'],
    ['src/gateway.ts', 'GATEWAY_PORT'],
    ['src/worker.ts', 'WORKER_PORT'],
  ] as const) {
    const line = await refusal(entry, env);
    expect(line).toContain(`Port ${port} is taken: stop what listens there, or set ${variable}`);
  }
  await taken.stop(true);
}, 60_000);

test('every entry shows all errors of a bad environment at once', async () => {
  for (const entry of entries) {
    const output = await refusal(entry, { PORT: 'x', REDIS_PORT: 'y', LOG_LEVEL: 'info' });
    expect(output).toContain('PORT must be a whole number');
    expect(output).toContain('REDIS_PORT must be a whole number');
  }
}, 30_000);

test('a database that is not there refuses at once', async () => {
  const env = await environment();
  const url = Object.assign(new URL(env.DATABASE_URL ?? ''), { pathname: '/not_there' }).href;
  const line = await refusal('src/api.ts', { ...env, DATABASE_URL: url });
  expect(line).toContain('refuses: database "not_there" does not exist');
}, 30_000);

describe('a server that is down at the start', () => {
  for (const [name, own] of [
    ['PostgreSQL', { DATABASE_URL: 'postgres://postgres@127.0.0.1:1/chat' }],
    ['RabbitMQ', { RABBITMQ_URI: 'amqp://127.0.0.1:1' }],
  ] as const) {
    test(`${name} is waited for, which is said, and a signal ends the waiting`, async () => {
      const api = processes.run(['src/api.ts'], await environment(own));
      await untilSays(api, `waiting for ${name} at 127.0.0.1:1, 60 s at most`);
      const started = runningMs();
      api.signal('SIGTERM');
      expect(await api.exited).toBe(0);
      expect(runningMs() - started).toBeLessThan(5_000);
    }, 60_000);
  }

  test('the waiting ends with one line after the time stated', async () => {
    const log = createLog({ logLevel: 'silent' }, 'test');
    const waitMs = 300;
    const options = { applicationName: 'confab-test', migrates: true, waitMs, log };
    await expect(
      openReadyPostgres({ url: 'postgres://postgres@127.0.0.1:1/chat', ...options }),
    ).rejects.toThrow('PostgreSQL at 127.0.0.1:1 was not there within 0.3 s');
    const lifecycle = createLifecycle(log);
    const config = parseConfig({ RABBITMQ_URI: 'amqp://127.0.0.1:1' });
    const adapters = await createAdapters(
      { kind: 'servers', waitMs },
      { name: 'confab-test', config, log, lifecycle },
    );
    await expect(adapters.sendQueue()).rejects.toThrow('RabbitMQ at 127.0.0.1:1 was not there within 0.3 s');
    await lifecycle.stop();
  });
});

describe('Redis, which only hints', () => {
  const readiness = async (member: Member): Promise<{ status: string }> =>
    JSON.parse(await (await fetch(`${member.url}/readyz`)).text());
  /** What a process has said of whether Redis is there. */
  const said = ({ process }: Member) =>
    process
      .output()
      .split('\n')
      .flatMap((line) => /(?<!when )Redis is (?:away; going on|back(?!;))/.exec(line)?.[0] ?? []);
  const hinted = { status: 'ready', dependencies: expect.objectContaining({ redis: 'up' }) };
  const unhinted = { status: 'degraded', dependencies: expect.objectContaining({ redis: 'down' }) };

  test('is not waited for: all start without it, say so in one line, do their jobs, and use it when it comes', async () => {
    const redis = await servers.createRedis();
    await redis.kill();
    const env = await environment({ REDIS_HOST: redis.host, REDIS_PORT: String(redis.port) });
    const roles = ['api', 'worker', 'gateway'] as const;
    const members = await Promise.all(roles.map((role) => startMember(processes, role, env)));
    const [api, , gateway] = members as [Member, Member, Member];
    for (const member of members) {
      expect(said(member)).toEqual(['Redis is away; going on']);
      expect(member.process.output()).toContain('ECONNREFUSED');
      expect(await readiness(member)).toMatchObject(unhinted);
    }

    const deployment = { apiUrl: api.url, socketUrl: gateway.url };
    const [ada, bob] = await Promise.all([newPerson(deployment), newPerson(deployment)]);
    const chat = await ada.newChat(bob);
    const bobHears = await bob.connect();
    await ada.send(chat.id, 'while it was not there');
    await eventually('it is stored', async () => (await bob.history(chat.id)).length === 1);

    await redis.restart();
    await bobHears.heard('while it was not there');
    await eventually('all use it', async () =>
      (await Promise.all(members.map(readiness))).every(({ status }) => status === 'ready'),
    );
    for (const member of members) {
      expect(await readiness(member)).toMatchObject(hinted);
      expect(said(member)).toEqual(['Redis is away; going on', 'Redis is back']);
    }
    const began = runningMs();
    await ada.send(chat.id, 'at once');
    await bobHears.heard('at once');
    // A comparison would have found it within 30 s.
    expect(runningMs() - began).toBeLessThan(10_000);

    // Of what is wrong from now on nobody ends, and each says it in Redis's own words.
    const admin = await openTestRedis(redis.url);
    await admin.config('SET', 'requirepass', 'another');
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually('it is said', () => members.every(({ process }) => process.output().includes('NOAUTH')));
    expect(members.map(({ process }) => process.running())).toEqual([true, true, true]);
    await admin.config('SET', 'requirepass', '');
    await eventually('all are back', () =>
      members.every((member) => said(member).filter((line) => line === 'Redis is back').length === 2),
    );
    admin.disconnect();
    bobHears.close();
    for (const { process } of members) await process.kill();
  }, 60_000);

  test('a wrong password is an error of whoever set it: each entry refuses at once, with the reason', async () => {
    const redis = await servers.createRedis();
    const admin = await openTestRedis(redis.url);
    await admin.config('SET', 'requirepass', 'right');
    const env = await environment({
      REDIS_HOST: redis.host,
      REDIS_PORT: String(redis.port),
      REDIS_PASSWORD: 'left',
    });
    const lines = await Promise.all(entries.map((entry) => refusal(entry, env)));
    for (const line of lines) {
      expect(line.split('\n')).toHaveLength(1);
      expect(line).toContain(`Redis at ${redis.host}:${redis.port} can't be used: WRONGPASS`);
      expect(line).toContain('set REDIS_PASSWORD');
      expect(line).not.toContain('left');
    }
    admin.disconnect();
  }, 30_000);

  test('its password is taken to the byte, by all connections', async () => {
    const redis = await servers.createRedis();
    const admin = await openTestRedis(redis.url);
    for (const password of [
      ' lead and trail\t',
      'p@ss/word#1?a=b&c:d',
      '100%41 %zz +',
      'pä§§wörd-😀-語',
      '[::1]"\'\\$x',
    ]) {
      await admin.config('SET', 'requirepass', password);
      const log = createLog({ logLevel: 'silent' }, 'test');
      const lifecycle = createLifecycle(log);
      const env = {
        ...(await environment({ REDIS_HOST: redis.host, REDIS_PORT: String(redis.port) })),
        REDIS_PASSWORD: password,
      };
      const adapters = await createAdapters(
        { kind: 'servers' },
        { name: 'confab-test', config: parseConfig(env), log, lifecycle },
      );
      await Promise.all([adapters.facts(), adapters.presence(), adapters.subscriber()]);
      await eventually(
        `all are up with ${JSON.stringify(password)}`,
        async () => (await adapters.hintsReady?.()) === true,
      );
      await lifecycle.stop();
    }
    admin.disconnect();
  }, 30_000);
});

test('without a worker the checklist fails at its fifth step, and leads to it', async () => {
  const env = await environment({ CHAT_WORKER_ENABLED: 'false' });
  const [api, gateway] = await Promise.all([
    startMember(processes, 'api', env),
    startMember(processes, 'gateway', env),
  ]);
  const { code, output } = await processes.finish([
    'src/commands/checklist.ts',
    ...['--api', api.url, '--socket', gateway.url],
  ]);
  expect(code).toBe(1);
  expect(output.match(/^✓/gm)).toHaveLength(4);
  expect(output).toMatch(
    /✗ 5\. B receives chat\.message\.new.*\n +B has not received chat\.message\.new within 10 s/,
  );
  const advice = [
    'Is the api running',
    'Is the worker running',
    'Are the servers healthy',
    'Do clients connect',
  ];
  const places = [...advice, 'access tokens', 'bun run dlq list'].map((text) => output.indexOf(text));
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((one, two) => one - two));
  for (const { process } of [api, gateway]) await process.kill();
}, 60_000);
