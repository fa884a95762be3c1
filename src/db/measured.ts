import type { Metrics } from '../shared/metrics/metrics.ts';
import { timed } from '../shared/metrics/timed.ts';
import type { Database, Orm } from './database.ts';
import { databaseErrorCode, isDatabaseUnavailable } from './errors.ts';

/** A statement says its name itself, to `pg_stat_activity` as well; without one it is one of the others. */
const namePattern = /^\s*\/\* ([a-z_]+) \*\//;

/** The same database, of whose statements and transactions it is measured how long they take. */
export function measuredDatabase(database: Database, metrics: Metrics): Database {
  const known = new Map<string, (seconds: number) => void>();

  const observerOf = (operation: string, error = '') =>
    metrics.histogram('db_client_operation_duration_seconds', {
      db_system_name: 'postgresql',
      db_operation_name: operation,
      error_type: error,
    });
  const nameOf = (text: string) => namePattern.exec(text)?.[1] ?? 'other';
  const ofOthers = observerOf('other');

  function observerOfText(text: string): (seconds: number) => void {
    const found = known.get(text);
    if (found) return found;
    const name = nameOf(text);
    // Their texts may be as many as they like.
    if (name === 'other') return ofOthers;
    const made = observerOf(name);
    known.set(text, made);
    return made;
  }

  const measured = <Result>(text: string, work: () => Promise<Result>): Promise<Result> =>
    timed(work, observerOfText(text), (error) => observerOf(nameOf(text), errorTypeOf(error)));

  const ofTransactions = observerOf('transaction');
  const measuredOrm = (orm: Orm): Orm =>
    Object.create(orm, {
      transaction: {
        value: (...given: Parameters<Orm['transaction']>) =>
          timed(
            () => orm.transaction(...given),
            ofTransactions,
            (error) => observerOf('transaction', errorTypeOf(error)),
          ),
      },
    });

  return {
    ...database,
    get orm() {
      return measuredOrm(database.orm);
    },
    query: (text, parameters) => measured(text, () => database.query(text, parameters)),
    queryText: (text, parameters) => measured(text, () => database.queryText(text, parameters)),
  };
}

/** SQLSTATE, the code of the operating system, or one of ours; they are some dozens. */
function errorTypeOf(error: unknown): string {
  return databaseErrorCode(error) ?? (isDatabaseUnavailable(error) ? 'unavailable' : 'other');
}
