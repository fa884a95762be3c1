import type { Database } from './database.ts';

/** Those of our tables, and no longer than it takes to see who is in the way. */
const holdersSql = `SELECT DISTINCT l.pid, a.application_name AS name, a.state,
  extract(epoch FROM clock_timestamp() - a.xact_start)::int AS seconds
FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation AND c.relnamespace = current_schema()::regnamespace
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.pid <> pg_backend_pid()
ORDER BY seconds DESC NULLS FIRST
LIMIT 5`;

interface Holder {
  pid: number;
  name: string;
  /** Both null where PostgreSQL does not show the sessions of other roles to this one. */
  state: string | null;
  seconds: number | null;
}

/** Whose transactions hold locks of our tables, the longest first, for a log: `pg_dump (process 123, active, for 45 s)`. */
export async function lockHolders(database: Pick<Database, 'query'>): Promise<string[]> {
  const rows = await database.query<Holder>(holdersSql, []);
  return rows.map(({ pid, name, state, seconds }) =>
    [
      `${name || 'a session'} (process ${pid}`,
      ...(state === null ? [] : [state]),
      ...(seconds === null ? [] : [`for ${seconds} s`]),
    ]
      .join(', ')
      .concat(')'),
  );
}
