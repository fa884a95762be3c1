import { afterAll, expect, test } from 'bun:test';
import postgres from 'postgres';
import { assertServer } from '../../src/db/assert-server.ts';
import { openReadyPostgres } from '../../src/db/open-ready-postgres.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { createLog } from '../../src/shared/log.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const admin = postgres(servers.adminDatabaseUrl, { max: 1, onnotice: () => {} });
const made: string[] = [];
afterAll(async () => {
  for (const name of made) await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
  await admin.end();
});

/** A database with these settings of its own, and what a start on it says. */
async function startOn(
  settings: Record<string, string>,
  options = '',
): Promise<{ refused: string; lines: string[] }> {
  const name = `assert_${crypto.randomUUID().replaceAll('-', '').slice(0, 12)}`;
  await admin.unsafe(`CREATE DATABASE ${name} ${options}`);
  made.push(name);
  for (const [setting, value] of Object.entries(settings))
    await admin.unsafe(`ALTER DATABASE ${name} SET ${setting} = '${value}'`);
  const lines: string[] = [];
  const log = createLog({ logLevel: 'warn' }, 'test', {
    write: (line) => void lines.push(JSON.parse(line).msg),
  });
  const url = Object.assign(new URL(servers.adminDatabaseUrl), { pathname: `/${name}` }).href;
  const ready = openReadyPostgres({
    url,
    applicationName: 'confab-test',
    migrates: false,
    waitMs: 5_000,
    log,
  });
  const refused = await ready.then(
    () => '',
    (error: Error) => error.message,
  );
  return { refused, lines };
}

for (const [what, settings, options, reason] of [
  ['in LATIN1', {}, `ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`, /is LATIN1.*ENCODING 'UTF8'/],
  ['without an encoding', {}, `ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`, /is SQL_ASCII/],
  ['that is read-only', { default_transaction_read_only: 'on' }, '', /default_transaction_read_only is on/],
  [
    'whose transactions are serializable',
    { default_transaction_isolation: 'serializable' },
    '',
    /read committed/,
  ],
  ['whose triggers are off', { session_replication_role: 'replica' }, '', /triggers would not fire/],
] as const) {
  test(`a database ${what} is refused at the start, with what mends it`, async () => {
    const { refused } = await startOn(settings, options);
    expect(refused).toMatch(/^PostgreSQL is not as Confab needs it:\n {2}/);
    expect(refused).toMatch(reason);
    expect(refused.split('\n')).toHaveLength(2);
  });
}

test('all that is wrong is said at once, a line each', async () => {
  const settings = { default_transaction_isolation: 'repeatable read', session_replication_role: 'local' };
  const { refused } = await startOn(settings);
  expect(refused.split('\n')).toHaveLength(3);
});

test('what is only a risk is warned of', async () => {
  const { refused, lines } = await startOn({ synchronous_commit: 'off' });
  // It went on to what is missing next.
  expect(refused).toContain('run `bun run migrate`');
  expect(lines).toContainEqual(expect.stringContaining('synchronous_commit is off'));
});

test('an older version and a standby are refused', async () => {
  const database = openPostgres({ url: servers.adminDatabaseUrl, applicationName: 'confab-test' });
  /** What another server would answer. */
  const answering = (other: object) => ({
    query: async <Row extends object>(text: string, parameters: readonly unknown[]) =>
      (await database.query<Row>(text, parameters)).map((row) => ({ ...row, ...other })),
  });
  const silent = { warn: () => {} };
  try {
    await assertServer(database, silent);
    const old = assertServer(answering({ server_version: '13.14', server_version_num: '130014' }), silent);
    await expect(old).rejects.toThrow(/version 13\.14: 14 is the oldest/);
    const standby = assertServer(answering({ standby: true, transaction_read_only: 'on' }), silent);
    await expect(standby).rejects.toThrow(/standby[^\n]*$/);
  } finally {
    await database.close();
  }
});
