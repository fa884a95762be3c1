import { withDeadline } from '../shared/deadline.ts';
import type { Database, Orm } from './database.ts';
import { databaseTimeoutMs, databaseUnavailable, toCaller } from './errors.ts';

/**
 * Runs `work` in one transaction, READ COMMITTED: each statement sees what was committed before it began. Inside, use `tx`
 * alone; a query beside it would wait for ever on PGlite's one connection.
 * @throws ChatError `database_unavailable` within 5 s; then it is unknown whether it was committed
 */
export async function inTransaction<Result>(
  database: Database,
  work: (tx: Orm) => Promise<Result>,
): Promise<Result> {
  let givenUp: Error | undefined;
  const noAnswer = () => {
    givenUp = databaseUnavailable(new Error(`not committed within ${databaseTimeoutMs} ms`));
    return givenUp;
  };
  const running = database.orm.transaction(async (tx) => {
    // Its turn may come late, on PGlite's one connection. Thrown here, it is rolled back.
    if (givenUp) throw givenUp;
    const result = await work(tx);
    if (givenUp) throw givenUp;
    return result;
  });
  try {
    return await withDeadline(running, databaseTimeoutMs, noAnswer);
  } catch (error) {
    throw toCaller(error);
  }
}
