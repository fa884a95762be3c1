import { withDeadline } from '../shared/deadline.ts';
import type { Database, Orm } from './database.ts';
import { databaseTimeoutMs, databaseUnavailable, isDatabaseUnavailable } from './errors.ts';

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
  try {
    return await withDeadline(database.orm.transaction(work), databaseTimeoutMs, noAnswer);
  } catch (error) {
    throw isDatabaseUnavailable(error) ? databaseUnavailable(error) : error;
  }
}
