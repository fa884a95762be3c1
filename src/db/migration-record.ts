import { sql } from 'drizzle-orm';
import type { Database, Orm } from './database.ts';
import type { Migration } from './migration-files.ts';
import { SchemaError } from './schema-error.ts';
import { schemaFailure } from './schema-failure.ts';

export interface Applied {
  hash: string;
  /** Null where a version wrote it that knew of no such thing. */
  compatibleSince: string | null;
}

/**
 * Those of the known migrations that are not recorded.
 * @throws SchemaError when the record cannot be read, when a migration was edited after it had been applied, or when one that
 * this program does not know is not compatible with it
 */
export async function missingOf(database: Database, known: readonly Migration[]): Promise<Migration[]> {
  const applied = await readRecord(database);
  assertCompatible(applied, known);
  return known.filter(({ name }) => !applied.has(name));
}

/** Where migrations are recorded; the first versions had another name for it. */
export const recordTable = 'recorded_migrations';
const firstRecordTable = 'applied_migrations';

/** By name. @throws SchemaError when it cannot be read */
export async function readRecord(database: Database): Promise<Map<string, Applied>> {
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
export async function makeRecord(tx: Orm): Promise<void> {
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

export async function record(orm: Orm, { name, hash, compatibleSince }: Migration): Promise<void> {
  await orm.execute(
    sql`INSERT INTO ${sql.raw(recordTable)} (name, hash, compatible_since)
      VALUES (${name}, ${hash}, ${compatibleSince})`,
  );
}
