import { expect, test } from 'bun:test';
import { openPostgres } from '../../src/db/postgres.ts';
import { type Member, serverEnvironment, startMember } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { unsigningApi } from '../support/old-version.ts';
import { testProcesses } from '../support/processes.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const processes = testProcesses();
const secret = 'a secret of at least thirty-two bytes';
const aside = 'not set up alike';

const readyz = async ({ url }: Member) => {
  const response = await fetch(`${url}/readyz`);
  const body = (await response.json()) as { status: string; dependencies: Record<string, string> };
  return { code: response.status, status: body.status, peers: body.dependencies.peers };
};
const said = ({ process }: Member, text: string): string[] =>
  process
    .output()
    .split('\n')
    .filter((line) => line.includes(text));

test('processes that are each well and do not fit together say so in one line, with what differs, and are degraded', async () => {
  const environment: Record<string, string> = {
    ...(await serverEnvironment(servers)),
    DATA_DIR: await processes.folder(),
    NODE_ENV: 'test',
    JWT_SECRET: secret,
  };
  const start = (role: Member['role'], own: Record<string, string> = {}) =>
    startMember(processes, role, { ...environment, ...own });
  const [api, worker] = await Promise.all([start('api'), start('worker')]);
  const database = openPostgres({ url: environment.DATABASE_URL ?? '', applicationName: 'a test' });
  const names = await database.query<{ name: string }>(
    'SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE datname = current_database()',
    [],
  );
  await database.close();
  // By this name workers know an api that does not sign: one of today may not have it.
  expect(names.map(({ name }) => name)).toContain('confab api');
  expect(names.map(({ name }) => name)).not.toContain(unsigningApi);
  // Those who came first have waited for nobody.
  expect(await readyz(api)).toEqual({ code: 200, status: 'ready', peers: 'up' });

  const strangers = await Promise.all([
    start('gateway', { CHAT_NOTIFICATION_CHANNEL: 'another.channel' }),
    start('gateway', { JWT_SECRET: `${secret}, another` }),
    start('gateway', { JWT_ISSUER: 'another' }),
    start('worker', { REDIS_DB: '7' }),
    start('api', { RABBITMQ_CHAT_QUEUE_PREFIX: `${environment.RABBITMQ_CHAT_QUEUE_PREFIX}.another` }),
  ]);
  const variables = [
    'CHAT_NOTIFICATION_CHANNEL',
    'JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL',
    'JWT_ISSUER or JWT_AUDIENCE',
    'REDIS_* (another server, or another database of it)',
    'RABBITMQ_* (another server, virtual host, or names of exchanges and queues)',
  ];
  for (const [at, stranger] of strangers.entries()) {
    await eventually(`${variables[at]} is told`, () =>
      said(stranger, aside).some((line) => line.includes(variables[at] ?? '')),
    );
    await eventually(`${variables[at]} is told by the api`, () =>
      // Redis and RabbitMQ: whose they are is known to workers too.
      [api, worker].some((member) => said(member, aside).some((line) => line.includes(variables[at] ?? ''))),
    );
    expect(await readyz(stranger)).toEqual({ code: 200, status: 'degraded', peers: 'down' });
  }
  expect(await readyz(api)).toEqual({ code: 200, status: 'degraded', peers: 'down' });
  const all = [api, worker, ...strangers].map(({ process }) => process.output()).join('\n');
  expect(all).not.toContain(secret);
  // One line a change, and no more: five came.
  expect(said(api, aside).length).toBeLessThanOrEqual(5);

  for (const stranger of strangers) stranger.process.signal('SIGTERM');
  await Promise.all(strangers.map(({ process }) => process.exited));
  await eventually('they are alike again', async () => (await readyz(api)).status === 'ready');
  await eventually('and say so', () => said(api, 'are set up alike').length === 1);
  await eventually('the worker too', async () => (await readyz(worker)).status === 'ready');
}, 60_000);
