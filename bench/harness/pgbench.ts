import { finished } from '../../src/commands/servers/finished.ts';
import { sessionSettings } from '../../src/db/connector.ts';
import type { Database } from '../../src/db/database.ts';
import type { BenchServers } from './servers.ts';

export interface PgbenchResult {
  perSecond: number;
  /** Mean time of one transaction. */
  latencyMs: number;
}

/**
 * `pgbench -M prepared` over a script: what the server itself makes of the statement, with nothing but libpq around it.
 * @param amount seconds, or transactions a client
 */
export async function pgbench(
  servers: BenchServers,
  databaseUrl: string,
  {
    script,
    clients,
    amount,
    variables = {},
  }: {
    script: string;
    clients: number;
    amount: { seconds: number } | { transactions: number };
    variables?: Record<string, string | number>;
  },
): Promise<PgbenchResult> {
  const file = `${servers.folder}/pgbench-${Bun.randomUUIDv7()}.sql`;
  await Bun.write(file, script);
  const length = 'seconds' in amount ? ['-T', String(amount.seconds)] : ['-t', String(amount.transactions)];
  const run = Bun.spawn(
    [
      ...[servers.postgresProgram('pgbench'), '-M', 'prepared', '-n', '-f', file],
      ...['-c', String(clients), '-j', String(Math.min(2, clients)), ...length],
      ...Object.entries(variables).flatMap(([name, value]) => ['-D', `${name}=${value}`]),
      databaseUrl,
    ],
    { stdout: 'pipe', stderr: 'pipe' },
  );
  const { status: code, out: output, err: errors } = await finished(run);
  const tps = /^tps = ([\d.]+) \(without initial connection time\)$/m.exec(output)?.[1];
  const latency = /^latency average = ([\d.]+) ms$/m.exec(output)?.[1];
  if (code !== 0 || tps === undefined || latency === undefined) {
    throw new Error(`pgbench ended with ${code}: ${errors.split('\n').slice(0, 3).join('; ')}`);
  }
  return { perSecond: Number(tps), latencyMs: Number(latency) };
}

/** The text that a query of the product sends, on one line, in the form that pgbench wants. */
export async function statementOf(query: (database: Database) => Promise<unknown>): Promise<string> {
  let statement: string | undefined;
  const recorder = {
    async query(text: string) {
      statement = text;
      return [];
    },
    async queryText(text: string) {
      statement = text;
      return undefined;
    },
  };
  // The queries of the hot paths touch nothing else of a database.
  await query(recorder as unknown as Database);
  if (statement === undefined) throw new Error('nothing was queried');
  // In a text, too, pgbench takes `:MI` for a variable; put together from two texts it is the same to PostgreSQL.
  return statement.replace(/\s+/g, ' ').replace(/(?<!:):(?=[A-Za-z_])/g, ":' || '");
}

/** With the values, as SQL or as pgbench's variables, in the places of the parameters. */
export const withValues = (statement: string, values: readonly string[]): string =>
  `${statement.replace(/\$(\d+)/g, (place, at) => values[at - 1] ?? place)};\n`;

/** With the settings of Confab's sessions; without them PostgreSQL plans a statement at every execution, or otherwise. */
export const asConfabConnects = (url: string): string => {
  const settings = Object.entries(sessionSettings).map(([name, value]) => `-c ${name}=${value}`);
  return `${url}?options=${encodeURIComponent(settings.join(' '))}`;
};
