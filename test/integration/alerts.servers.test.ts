import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { findBinaries } from '../../src/commands/servers/binaries.ts';
import { output } from '../../src/commands/servers/finished.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { readAlerts } from '../support/alerts.ts';
import { testProcesses } from '../support/processes.ts';
import { codeBlocks, readText, repository } from '../support/repository.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const processes = testProcesses();

/** @throws with what it says when it finds something */
const promtool = (...args: string[]): Promise<string> =>
  output([findBinaries().prometheus?.promtool ?? '', ...args], { cwd: repository });

test('promtool finds nothing wrong with the rules and with the example of a configuration', async () => {
  await promtool('check', 'rules', 'deploy/prometheus/rules.yml');
  // The token's file is where Prometheus runs.
  await promtool('check', 'config', '--syntax-only', 'deploy/prometheus/prometheus.yml');
});

test('each alert fires once it is a little worse than it may be, and not before', async () => {
  await promtool('test', 'rules', 'deploy/prometheus/rules.test.yml');
  const tried = await readText('deploy/prometheus/rules.test.yml');
  const untried = (await readAlerts()).filter(({ alert }) => !tried.includes(`{alertname="${alert}"}`));
  expect(untried).toEqual([]);
});

test('Prometheus reads the queries of the runbooks', async () => {
  const queries = await codeBlocks('docs/runbooks.md', 'promql');
  const rules = queries.map((expr, at) => ({ record: `query_${at}`, expr }));
  const file = join(await processes.folder(), 'queries.yml');
  await Bun.write(file, JSON.stringify({ groups: [{ name: 'runbooks', rules }] }));
  await promtool('check', 'rules', file);
});

test('PostgreSQL answers the queries of the runbooks', async () => {
  const url = await servers.createDatabase();
  const database = openPostgres({ url, applicationName: 'confab-test', maxConnections: 1 });
  try {
    await migrate(database);
    const queries = await codeBlocks('docs/runbooks.md', 'sql');
    expect(queries.length).toBeGreaterThan(5);
    for (const query of queries) await database.query(query, []);
  } finally {
    await database.close();
  }
});
