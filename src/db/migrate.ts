import { sql } from 'drizzle-orm';
import { pause } from '../shared/backoff.ts';
import type { Logger } from '../shared/log.ts';
import type { Database, Orm } from './database.ts';
import { databaseErrorCode } from './errors.ts';
import { lockHolders } from './lock-holders.ts';
import { type Migration, readMigrations } from './migration-files.ts';
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
  /** `drizzle/` where it is not given. */
  folder?: string;
  lockTimeoutMs?: number;
}

interface Applied {
  hash: string;
  /** Null where a version wrote it that knew of no such thing. */
  compatibleSince: string | null;
}

/**
 * Applies what is missing, one process at a time, and returns the names of what it applied. What was interrupted is taken up
 * again by the next call. drizzle's own `migrate()` is not used: it takes no lock, and it skips an entry that is older than
 * the newest applied one (a merged branch).
 * @throws SchemaError when the database is beyond what this program knows, and with PostgreSQL's own reason when it refuses
 */
export async function migrate(database: Database, options: MigrateOptions = {}): Promise<string[]> {
  const { log, folder } = options;
  const known = await readMigrations(folder);
  if ((await missingOf(database, known)).length === 0) return [];

  const onWait = () => log?.info('another process brings the schema up to date; waiting for it');
  return database.alone({ key: lockKey, onWait }, async (patient) => {
    const missing = await missingOf(patient, known);
    if (missing.length > 0) await makeRecord(patient);
    for (const migration of missing) {
      try {
        await apply(patient, migration, options);
      } catch (error) {
        throw await schemaFailure(patient, `drizzle/${migration.name}.sql failed`, error);
      }
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
  const missing = await missingOf(database, await readMigrations(folder));
  if (missing.length > 0) {
    const names = missing.map(({ name }) => name).join(', ');
    throw new SchemaError(`The database's schema is behind (${names}): run \`bun run migrate\`.`);
  }
}

async function missingOf(database: Database, known: readonly Migration[]): Promise<Migration[]> {
  const applied = await readRecord(database);
  assertCompatible(applied, known);
  return known.filter(({ name }) => !applied.has(name));
}

async function readRecord(database: Database): Promise<Map<string, Applied>> {
  try {
    const [table] = await database.query<{ found: boolean }>(
      `SELECT to_regclass('applied_migrations') IS NOT NULL AS found`,
      [],
    );
    if (!table?.found) return new Map();
    // The column is one of ours that the first versions did not make.
    const rows = await database.query<Applied & { name: string }>(
      `SELECT name, hash, to_json(m) ->> 'compatible_since' AS "compatibleSince" FROM applied_migrations m`,
      [],
    );
    return new Map(rows.map(({ name, ...applied }) => [name, applied]));
  } catch (error) {
    throw await schemaFailure(
      database,
      'The record of migrations (applied_migrations) cannot be read',
      error,
    );
  }
}

async function makeRecord({ orm, ...database }: Database): Promise<void> {
  try {
    await orm.execute(sql`CREATE TABLE IF NOT EXISTS applied_migrations (
      name text PRIMARY KEY,
      hash text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`);
    await orm.execute(sql`ALTER TABLE applied_migrations ADD COLUMN IF NOT EXISTS compatible_since text`);
  } catch (error) {
    throw await schemaFailure(
      database,
      'The record of migrations (applied_migrations) cannot be made',
      error,
    );
  }
}

function assertCompatible(applied: ReadonlyMap<string, Applied>, known: readonly Migration[]): void {
  const hashes = new Map(known.map(({ name, hash }) => [name, hash]));
  for (const [name, { hash, compatibleSince }] of applied) {
    const expected = hashes.get(name);
    if (expected === undefined) {
      if (compatibleSince !== null && hashes.has(compatibleSince)) continue;
      throw new SchemaError(
        `The database was migrated by a newer version (${name}), with which this one is not compatible: ` +
          'run a newer version, or an own database.',
      );
    }
    if (expected !== hash) {
      throw new SchemaError(`drizzle/${name}.sql was edited after it had been applied: restore it.`);
    }
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
    if (!isConcurrent(statement)) await inTransaction((tx) => tx.execute(sql.raw(statement)));
    else if (!(await isMade(patient, statement))) await patient.orm.execute(sql.raw(statement));
  }
  await record(patient.orm, migration);
}

async function record(orm: Orm, { name, hash, compatibleSince }: Migration): Promise<void> {
  await orm.execute(
    sql`INSERT INTO applied_migrations (name, hash, compatible_since) VALUES (${name}, ${hash}, ${compatibleSince})`,
  );
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

const isConcurrent = (statement: string): boolean =>
  /^\s*(CREATE (UNIQUE )?|DROP |RE)INDEX CONCURRENTLY /im.test(statement);

/**
 * Whether an earlier run has made this index. One that was interrupted leaves an invalid index behind, which nothing uses and
 * every write maintains: it is dropped.
 */
async function isMade(patient: Database, statement: string): Promise<boolean> {
  const [, name] = /^\s*CREATE (?:UNIQUE )?INDEX CONCURRENTLY ("[^"]+"|\w+)/im.exec(statement) ?? [];
  if (name === undefined) return false;
  const [index] = await patient.query<{ valid: boolean }>(
    'SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass($1::text)',
    [name],
  );
  if (!index) return false;
  if (!index.valid) await patient.orm.execute(sql.raw(`DROP INDEX CONCURRENTLY ${name}`));
  return index.valid;
}
