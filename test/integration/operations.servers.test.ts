import { expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { codeBlocks } from '../support/repository.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();

test('a second role takes the place of the first: what it makes belongs to the first, which needs no password any more', async () => {
  const url = await servers.createDatabase();
  const [first, second] = ['a', 'b'].map((which) => `confab_${which}_${randomBytes(4).toString('hex')}`);
  const blocks = await codeBlocks('docs/operations.md', 'sql');
  const printed = blocks.find((block) => block.startsWith('CREATE ROLE confab_b')) ?? '';
  const makeSecond = printed.replaceAll('confab_b', `${second}`).replace(/\bconfab\b/g, `${first}`);
  const name = new URL(url).pathname.slice(1);
  const admin = postgres(url, { max: 1, onnotice: () => {} });
  const as = (role = '') =>
    openPostgres({
      url: Object.assign(new URL(url), { username: role, password: 'a password' }).href,
      applicationName: 'confab-test',
      maxConnections: 1,
    });
  await admin.unsafe(`CREATE ROLE ${first} LOGIN PASSWORD 'a password'`);
  await admin.unsafe(`ALTER DATABASE ${name} OWNER TO ${first}`);
  await admin.unsafe(makeSecond.replace('<new>', 'a password'));
  try {
    const [before, after] = [as(first), as(second)];
    await migrate(before);
    await before.close();
    await admin.unsafe(`ALTER ROLE ${first} PASSWORD NULL`);
    await after.query(`INSERT INTO users (id, display_name) VALUES (gen_random_uuid(), 'Ada')`, []);
    await after.query('CREATE TABLE of_a_later_version ()', []);
    await after.close();
    const owners = await admin`
      SELECT DISTINCT tableowner AS owner FROM pg_tables WHERE schemaname = 'public'`;
    expect([...owners]).toEqual([{ owner: first }]);
  } finally {
    await admin.unsafe(`ALTER DATABASE ${name} OWNER TO CURRENT_USER`);
    await admin.unsafe(`DROP OWNED BY ${first} CASCADE; DROP ROLE ${second}; DROP ROLE ${first}`);
    await admin.end();
  }
});
