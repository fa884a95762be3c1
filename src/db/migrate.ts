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
      const record = inPatientTransaction(patient, recordTable, makeRecord, options);
      await failing(`The table ${recordTable} cannot be made`, record);
    }
    for (const migration of missing)
      await failing(`drizzle/${migration.name}.sql failed`, apply(patient, migration, options));
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

async function missingOf(database: Database, known: readonly Migration[]): Promise<Migration[]> {
  const applied = await readRecord(database);
  assertCompatible(applied, known);
  return known.filter(({ name }) => !applied.has(name));
}

/** Where migrations are recorded; the first versions had another name for it. */
const recordTable = 'recorded_migrations';
const firstRecordTable = 'applied_migrations';

async function readRecord(database: Database): Promise<Map<string, Applied>> {
  try {
    const [table] = await database.query<{ name: string | null }>(
      `SELECT coalesce(to_regclass('${recordTable}'), to_regclass('${firstRecordTable}'))::text AS name`,
      [],
    );
    if (typeof table?.name !== 'string') return new Map();
    const rows = await database.query<Applied & { name: string }>(
      `SELECT name, hash, to_json(m) ->> 'compatible_since' AS "compatibleSince" FROM ${table.name} m`,
      [],
    );
    return new Map(rows.map(({ name, ...applied }) => [name, applied]));
  } catch (error) {
    throw await schemaFailure(database, 'The record of migrations cannot be read', error);
  }
}

/** What the first versions know, and so does whoever is compatible with them. */
const ofTheFirst = `('0000_tables', '0001_store_messages', '0002_store_messages_by_key')`;

/**
 * The first versions refuse every migration that they find recorded and do not know. They find a view of the record, without
 * those that are compatible with them.
 */
async function makeRecord(tx: Orm): Promise<void> {
  const [found] = await tx
    .select({
      table: sql<string | null>`to_regclass(${recordTable})::text`,
      first: sql<string | null>`to_regclass(${firstRecordTable})::text`,
    })
    .from(sql`(SELECT) AS nothing`);
  if (found?.table) return;
  const statements = [
    found?.first
      ? `ALTER TABLE ${found.first} RENAME TO ${recordTable}`
      : `CREATE TABLE ${recordTable} (
          name text PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
        )`,
    `ALTER TABLE ${recordTable} ADD COLUMN compatible_since text`,
    `CREATE VIEW ${firstRecordTable} AS SELECT name, hash, applied_at FROM ${recordTable}
      WHERE name IN ${ofTheFirst} OR compatible_since IS NULL OR compatible_since NOT IN ${ofTheFirst}`,
    `GRANT SELECT ON ${firstRecordTable} TO PUBLIC`,
  ];
  for (const statement of statements) await tx.execute(sql.raw(statement));
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
    else if (!(await isMade(patient, statement))) await unlimited(patient, statement);
  }
  await record(patient.orm, migration);
}

async function record(orm: Orm, { name, hash, compatibleSince }: Migration): Promise<void> {
  await orm.execute(
    sql`INSERT INTO ${sql.raw(recordTable)} (name, hash, compatible_since)
      VALUES (${name}, ${hash}, ${compatibleSince})`,
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

const isConcurrent = (statement: string): boolean =>
  /^\s*(CREATE (UNIQUE )?|DROP |RE)INDEX CONCURRENTLY /im.test(statement);

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
  const [, name] = /^\s*CREATE (?:UNIQUE )?INDEX CONCURRENTLY ("[^"]+"|\w+)/im.exec(statement) ?? [];
  if (name === undefined) return false;
  const [index] = await patient.query<{ valid: boolean }>(
    'SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass($1::text)',
    [name],
  );
  if (!index) return false;
  if (!index.valid) await unlimited(patient, `DROP INDEX CONCURRENTLY ${name}`);
  return index.valid;
}
