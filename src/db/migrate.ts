import { sql } from 'drizzle-orm';
import { pause } from '../shared/backoff.ts';
import type { Logger } from '../shared/log.ts';
import type { Database, Orm } from './database.ts';
import { databaseErrorCode } from './errors.ts';
import { lockHolders } from './lock-holders.ts';
import { type Migration, readMigrations } from './migration-files.ts';
import { makeRecord, missingOf, record, recordTable } from './migration-record.ts';
import { SchemaError } from './schema-error.ts';
import { schemaFailure } from './schema-failure.ts';

/** Not the one of the first versions, which wait for it in a way that an index would wait for: see `alone.ts`. */
const lockKey = 4_014_231_208;

/**
 * A statement that waits for a table's lock makes everybody wait who comes after it: behind the backup of a large table all
 * would stand still. So it waits for a moment only, and tries again later.
 */
const lockTimeoutMs = 3_000;
const longestPauseMs = 30_000;

export interface MigrateOptions {
  /** Told of every wait, and for whom. */
  log?: Logger;
  /** Told of each that is applied: those before one that fails stay. */
  onApplied?: (name: string) => void;
  /** `drizzle/` where it is not given. */
  folder?: string;
  lockTimeoutMs?: number;
}

/**
 * Applies what is missing, one process at a time, and returns the names of what it applied. What was interrupted is taken up
 * again by the next call. drizzle's own `migrate()` is not used: it takes no lock, and it skips an entry that is older than
 * the newest applied one (a merged branch).
 * @throws SchemaError when the database is beyond what this program knows, and with PostgreSQL's own reason when it refuses
 */
export async function migrate(database: Database, options: MigrateOptions = {}): Promise<string[]> {
  const { log, folder, onApplied = () => {} } = options;
  const known = readMigrations(folder);
  if ((await missingOf(database, known)).length === 0) return [];

  const onWait = () => log?.info('another process brings the schema up to date; waiting for it');
  return database.alone({ key: lockKey, onWait }, async (patient) => {
    const missing = await missingOf(patient, known);
    const failing = async (what: string, work: Promise<void>) => {
      try {
        await work;
      } catch (error) {
        throw await schemaFailure(patient, what, error);
      }
    };
    if (missing.length > 0) {
      const making = inPatientTransaction(patient, recordTable, makeRecord, options);
      await failing(`The table ${recordTable} cannot be made`, making);
    }
    for (const migration of missing) {
      await failing(`drizzle/${migration.name}.sql failed`, apply(patient, migration, options));
      onApplied(migration.name);
    }
    return missing.map(({ name }) => name);
  });
}

/**
 * What every process asks before it starts.
 * @throws SchemaError when a migration is missing, was edited after it had been applied, or one that this program does not
 * know is not compatible with it
 */
export async function assertMigrated(
  database: Database,
  { folder }: Pick<MigrateOptions, 'folder'> = {},
): Promise<void> {
  const missing = await missingOf(database, readMigrations(folder));
  if (missing.length > 0) {
    const names = missing.map(({ name }) => name).join(', ');
    throw new SchemaError(`The database's schema is behind (${names}): run \`bun run migrate\`.`);
  }
}

async function apply(patient: Database, migration: Migration, options: MigrateOptions): Promise<void> {
  const { statements } = migration;
  const inTransaction = (work: (tx: Orm) => Promise<unknown>) =>
    inPatientTransaction(patient, migration.name, work, options);

  if (migration.inOneTransaction) {
    await inTransaction(async (tx) => {
      for (const statement of statements) await tx.execute(sql.raw(statement));
      await record(tx, migration);
    });
    return;
  }
  for (const statement of statements) {
    if (isBesideAllWork(statement)) await besideAllWork(patient, migration.name, statement, options);
    else await inTransaction((tx) => tx.execute(sql.raw(statement)));
  }
  await record(patient.orm, migration);
}

/** Tried until it gets its locks: what holds them ends some time, and nobody else is kept waiting for longer than a moment. */
async function inPatientTransaction(
  patient: Database,
  name: string,
  work: (tx: Orm) => Promise<unknown>,
  { log, lockTimeoutMs: ms = lockTimeoutMs }: MigrateOptions,
): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await patient.orm.transaction(async (tx) => {
        await tx.execute(sql.raw('SET LOCAL statement_timeout = 0'));
        await tx.execute(sql.raw(`SET LOCAL lock_timeout = ${ms}`));
        await work(tx);
      });
      return;
    } catch (error) {
      if (!lockCodes.has(databaseErrorCode(error) ?? '')) throw error;
      const pauseMs = Math.min(longestPauseMs, 1_000 * 2 ** attempt) * (0.5 + Math.random() / 2);
      const holders = await lockHolders(patient);
      log?.warn(
        { migration: name, holders, pauseMs: Math.round(pauseMs) },
        'waiting for locks that others hold',
      );
      await pause(pauseMs);
    }
  }
}

/** Lock timeout, deadlock. */
const lockCodes: ReadonlySet<string> = new Set(['55P03', '40P01']);

/** What PostgreSQL takes in no transaction, because it makes several itself. */
const isBesideAllWork = (statement: string): boolean =>
  /^\s*((CREATE (UNIQUE )?|DROP |RE)INDEX CONCURRENTLY|CALL) /im.test(statement);

async function besideAllWork(
  patient: Database,
  name: string,
  statement: string,
  { log, lockTimeoutMs: ms = lockTimeoutMs }: MigrateOptions,
): Promise<void> {
  const what = /^CALL /im.test(statement)
    ? 'rows are copied beside all work'
    : 'an index is made beside all work; it waits for every transaction that is older than it';
  const slow = setTimeout(() => log?.info({ migration: name }, what), ms);
  try {
    if (!(await isMade(patient, statement))) await unlimited(patient, statement);
  } finally {
    clearTimeout(slow);
  }
}

/**
 * Waits for others as long as they are there, and nobody waits for it. All of it is one connection: of the two, the other
 * holds the lock of migrations.
 */
async function unlimited({ orm }: Database, statement: string): Promise<void> {
  await orm.execute(sql.raw('SET statement_timeout = 0'));
  await orm.execute(sql.raw('SET lock_timeout = 0'));
  await orm.execute(sql.raw(statement));
}

/**
 * Whether an earlier run has made this index. One that was interrupted leaves an invalid index behind, which nothing uses and
 * every write maintains: it is dropped.
 */
async function isMade(patient: Database, statement: string): Promise<boolean> {
  const [, name] =
    /^\s*CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?("[^"]+"|\w+)/im.exec(statement) ?? [];
  if (name === undefined) return false;
  const [index] = await patient.query<{ valid: boolean }>(
    'SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass($1::text)',
    [name],
  );
  if (!index) return false;
  if (!index.valid) await unlimited(patient, `DROP INDEX CONCURRENTLY ${name}`);
  return index.valid;
}
