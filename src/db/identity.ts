import type { Logger } from '../shared/log.ts';
import type { Database } from './database.ts';
import { databaseErrorCode } from './errors.ts';

export interface DatabaseIdentity {
  /** Of the installation, the database and a table of ours: a copy has another, and so has a table that was made anew. */
  place: string;
  /** One more after each promotion: of a standby, or of a backup that was restored to a point in time. */
  timeline: number;
}

const identitySql = `SELECT concat_ws('/', system.system_identifier, d.oid, 'chats'::regclass::oid) AS place,
  checkpoint.timeline_id AS timeline
FROM pg_control_system() system, pg_control_checkpoint() checkpoint, pg_database d
WHERE d.datname = current_database()`;

/** Undefined where PostgreSQL tells this role nothing of itself. */
async function readIdentity(database: Pick<Database, 'query'>): Promise<DatabaseIdentity | undefined> {
  try {
    const [identity] = await database.query<DatabaseIdentity>(identitySql, []);
    return identity;
  } catch (error) {
    if (databaseErrorCode(error) === '42501') return undefined;
    throw error;
  }
}

const recordSql = `WITH known AS (SELECT value FROM settings WHERE key = 'database_identity')
INSERT INTO settings (key, value) VALUES ('database_identity', $1)
ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE settings.value <> excluded.value
RETURNING (SELECT value FROM known) AS before`;

/**
 * Records which database this is, in itself: a copy says which one it was made of. Whoever is the first to start on another
 * one than the last says so.
 */
export async function recordIdentity(
  database: Pick<Database, 'query'>,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  const identity = await readIdentity(database);
  if (!identity) return;
  const { place, timeline } = identity;
  const [recorded] = await database.query<{ before: string | null }>(recordSql, [`${place}@${timeline}`]);
  if (typeof recorded?.before !== 'string') return;
  const same = recorded.before.startsWith(`${place}@`);
  log.warn(
    { before: recorded.before, now: `${place}@${timeline}` },
    same
      ? 'PostgreSQL was promoted since the last start: a fail-over, or a restore to a point in time (docs/operations.md)'
      : 'the database is another one than at the last start: a restored or copied one (docs/operations.md)',
  );
}

/** Whether the database is still the one that a process began with. */
export interface DatabaseWatch {
  /** Looks. @throws what the database throws */
  isSame(): Promise<boolean>;
  /** Whether it was found to be another one: it stays so until the process is started again. */
  replaced(): boolean;
}

export async function watchDatabase(
  database: Pick<Database, 'query'>,
  log: Pick<Logger, 'error'>,
): Promise<DatabaseWatch> {
  const first = await readIdentity(database);
  let replaced = false;
  return {
    replaced: () => replaced,
    async isSame() {
      if (replaced || !first) return !replaced;
      const now = await readIdentity(database);
      if (now && now.place !== first.place) {
        replaced = true;
        log.error(
          { before: first.place, now: now.place },
          'the database was replaced under this process: nothing more is stored or refused until it is started again ' +
            '(docs/operations.md)',
        );
      }
      return !replaced;
    },
  };
}
