import { currentRequest } from '../shared/current-request.ts';
import { withDeadline } from '../shared/deadline.ts';
import type { Database, Orm } from './database.ts';
import { databaseTimeoutMs, databaseUnavailable, toCaller } from './errors.ts';

/**
 * Runs `work` in one transaction, READ COMMITTED: each statement sees what was committed before it began. Inside, use `tx`
 * alone; a query beside it would wait in vain for PGlite's one connection.
 * @throws Error outside of `asRequest`: nothing would tell it that its request was given up
 * @throws ChatError `database_unavailable` within 5 s; then it is unknown whether it was committed
 */
export async function inTransaction<Result>(
  database: Database,
  work: (tx: Orm) => Promise<Result>,
): Promise<Result> {
  const request = currentRequest();
  if (!request)
    throw new Error('a transaction is begun outside of a request, or by a route that begins none');
  let late = false;
  const noAnswer = () => {
    late = true;
    return databaseUnavailable(new Error(`not committed within ${databaseTimeoutMs} ms`));
  };
  // Thrown in the transaction, so that it is rolled back.
  const assertWanted = () => {
    if (late || request.givenUp)
      throw databaseUnavailable(new Error('nobody waits for this transaction any more'));
  };
  const running = database.orm.transaction(async (tx) => {
    // Its turn may come late, on PGlite's one connection.
    assertWanted();
    const result = await work(tx);
    assertWanted();
    return result;
  });
  try {
    return await withDeadline(running, databaseTimeoutMs, noAnswer);
  } catch (error) {
    throw toCaller(error);
  }
}
