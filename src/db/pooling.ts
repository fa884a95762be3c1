import type { Connection } from './connection.ts';
import type { Pooling } from './connector.ts';
import { databaseTimeoutMs, PostgresRefusal } from './errors.ts';

const namedSql = 'SELECT pg_backend_pid() AS pid WHERE $1::boolean';

/**
 * Whether each connection has a session of its own, or a pooler gives each transaction another one. It is found by who
 * answers: a process of PostgreSQL says its number twice, when it greets and when it is asked; a pooler greets with another.
 * @param open a connection without settings
 * @throws PostgresRefusal where a pooler loses prepared statements, or has no transactions
 */
export async function findPooling(
  open: () => Promise<Connection>,
  mostSilentMs = databaseTimeoutMs,
): Promise<Pooling> {
  const one = await open();
  let two: Connection | undefined;
  const late = setTimeout(() => {
    one.destroy();
    two?.destroy();
  }, mostSilentMs);
  try {
    const greeted = await one.client.unsafe<{ pid: number }[]>('SELECT pg_backend_pid() AS pid');
    if (greeted[0]?.pid === greeted.state.pid) return 'session';
    two = await open();
    return await askBoth(one, two);
  } finally {
    clearTimeout(late);
    await Promise.all([one.end(), two?.end()]);
  }
}

/** While the other has a transaction, a pooler must give this one another session than it may have had before. */
async function askBoth(one: Connection, two: Connection): Promise<Pooling> {
  const ones = new Set<number>();
  const twos = new Set<number>();
  const names = new Set<string>();
  const ask = async ({ client }: Connection, seen: Set<number>) => {
    const rows = await client.unsafe<{ pid: number }[]>(namedSql, [true], { prepare: true });
    for (const { pid } of rows) seen.add(pid);
    return rows;
  };
  const askOne = async () => names.add((await ask(one, ones)).statement.name);

  await askOne();
  await two.client.unsafe('BEGIN').catch(async (cause: unknown) => {
    // PgBouncer only hangs up. With it away as a whole this one fails as well.
    await askOne();
    throw new PostgresRefusal('a pooler before it has no transactions: set pool_mode = transaction', {
      cause,
    });
  });
  await ask(two, twos);
  await askOne();
  await two.client.unsafe('COMMIT');
  await ask(two, twos);
  await askOne();

  const shared = ones.size > 1 || twos.size > 1 || !ones.isDisjointFrom(twos);
  // postgres.js prepares it anew, under another name, where it is not found.
  if (shared && names.size > 1) {
    throw new PostgresRefusal(
      'a pooler before it loses prepared statements in transaction mode: set pool_mode = session, ' +
        'or use PgBouncer 1.21 or newer with max_prepared_statements, or connect to PostgreSQL itself',
    );
  }
  return shared ? 'transaction' : 'session';
}
