import { sql } from 'drizzle-orm';
import { pause } from '../shared/backoff.ts';
import type { Database, Orm } from './database.ts';

const lookEveryMs = 200;

/**
 * Runs `work` under an advisory lock, which a transaction of its own holds: there it is right through a pooler as well, and
 * gone with its connection.
 *
 * All that this transaction says goes without parameters, and it asks for the lock instead of waiting for it. CREATE INDEX
 * CONCURRENTLY waits for everybody who has a snapshot: an answered statement with parameters keeps one until the next, and so
 * does whoever waits in pg_advisory_xact_lock, for a lock that is given back after the index (measured: without an end).
 */
export async function aloneUnder<Result>(
  { key, onWait }: { key: number; onWait?: (() => void) | undefined },
  patient: Database,
  work: () => Promise<Result>,
): Promise<Result> {
  return patient.orm.transaction(async (holder) => {
    await holder.execute(sql.raw('SET LOCAL idle_in_transaction_session_timeout = 0'));
    if (!(await isTaken(holder, key))) {
      onWait?.();
      while (!(await isTaken(holder, key))) await pause(lookEveryMs);
    }
    return work();
  });
}

async function isTaken(holder: Orm, key: number): Promise<boolean> {
  const [row] = await holder
    .select({ taken: sql<boolean>`taken` })
    .from(sql.raw(`pg_try_advisory_xact_lock(${key}) AS taken`));
  return row?.taken === true;
}
