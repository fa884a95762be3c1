import { sql } from 'drizzle-orm';
import { pause } from '../shared/backoff.ts';
import type { Database, Orm } from './database.ts';

const lookEveryMs = 200;

/**
 * Runs `work` under an advisory lock, which a transaction of its own holds: there it is right through a pooler as well, and
 * gone with its connection.
 *
 * CREATE INDEX CONCURRENTLY waits for the end of every transaction that has a snapshot at that moment. So all that these
 * transactions say goes without parameters, for an answered statement with some keeps its snapshot until the next; the lock
 * is asked for, not waited for; and whoever did not get it ends its transaction before it asks again: one that went on was
 * waited for, now and then, by the index, and waited for the lock that is given back after it.
 */
export async function aloneUnder<Result>(
  { key, onWait }: { key: number; onWait?: (() => void) | undefined },
  patient: Database,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 0; ; attempt += 1) {
    const done = await patient.orm.transaction(async (holder) => {
      await holder.execute(sql.raw('SET LOCAL idle_in_transaction_session_timeout = 0'));
      return (await isTaken(holder, key)) ? { result: await work() } : undefined;
    });
    if (done) return done.result;
    if (attempt === 0) onWait?.();
    await pause(lookEveryMs);
  }
}

async function isTaken(holder: Orm, key: number): Promise<boolean> {
  const [row] = await holder
    .select({ taken: sql<boolean>`taken` })
    .from(sql.raw(`pg_try_advisory_xact_lock(${key}) AS taken`));
  return row?.taken === true;
}
