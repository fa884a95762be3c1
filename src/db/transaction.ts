import { withDeadline } from '../shared/deadline.ts';
import type { Database, Orm } from './database.ts';
import { databaseTimeoutMs, databaseUnavailable, isConnectionLost, isDatabaseUnavailable } from './errors.ts';

/**
 * Runs `work` in one transaction, READ COMMITTED: each statement sees what was committed before it began. Inside, use `tx`
 * alone; a query beside it would wait for ever on PGlite's one connection.
 * @throws ChatError `database_unavailable` within 5 s; then it is unknown whether it was committed
 */
export async function inTransaction<Result>(
  database: Database,
  work: (tx: Orm) => Promise<Result>,
): Promise<Result> {
  const noAnswer = () => databaseUnavailable(new Error(`not committed within ${databaseTimeoutMs} ms`));
  const running = database.orm.transaction((tx) => unlessLost(work(tx)));
  try {
    return await withDeadline(running, databaseTimeoutMs, noAnswer);
  } catch (error) {
    throw isDatabaseUnavailable(error) ? databaseUnavailable(error) : error;
  }
}

/**
 * Without an end when the connection is lost. postgres.js 3.4.9 rejects such a transaction by itself, but would also write a
 * ROLLBACK to the socket that is no more, in a tick of its own, where nobody can catch the TypeError: the process ended.
 */
async function unlessLost<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (isConnectionLost(error)) return new Promise(() => {});
    throw error;
  }
}
