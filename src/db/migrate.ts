import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { Database, Orm } from './database.ts';
import { readOwnMigrations } from './migration-folder.ts' with { type: 'macro' };

const known: readonly Migration[] = readOwnMigrations().map(({ name, text }) => ({
  name,
  hash: createHash('sha256').update(text).digest('hex'),
  statements: text.split('--> statement-breakpoint'),
}));

/** `pg_advisory_xact_lock` key: one migration at a time, whatever the number of processes. */
const lockKey = 4_014_231_207;

/** A refusal to start; the message says what mends it. */
export class SchemaError extends Error {
  override name = 'SchemaError';
}

/**
 * Applies what is missing, in one transaction, and returns the names of what it applied. drizzle's own `migrate()` is not
 * used: it takes no lock, and it skips an entry that is older than the newest applied one (a merged branch).
 * @throws SchemaError when the database holds a migration that this program does not know
 */
export async function migrate(database: Database): Promise<string[]> {
  return database.orm.transaction(async (tx) => {
    await tx.execute(sql`SET LOCAL statement_timeout = 0`);
    await tx.execute(sql`SET LOCAL lock_timeout = 0`);
    await tx.execute(sql`SELECT pg_advisory_xact_lock(${sql.raw(String(lockKey))})`);
    await tx.execute(sql`CREATE TABLE IF NOT EXISTS applied_migrations (
      name text PRIMARY KEY,
      hash text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`);
    const applied = await appliedMigrations(tx);
    assertKnown(applied);

    const missing = known.filter(({ name }) => !applied.has(name));
    for (const { name, hash, statements } of missing) {
      for (const statement of statements) await tx.execute(sql.raw(statement));
      await tx.execute(sql`INSERT INTO applied_migrations (name, hash) VALUES (${name}, ${hash})`);
    }
    return missing.map(({ name }) => name);
  });
}

/**
 * What every process asks before it starts.
 * @throws SchemaError when a migration is missing, was edited after it had been applied, or is not known here
 */
export async function assertMigrated(database: Database): Promise<void> {
  const exists = await database.query<{ found: boolean }>(
    `SELECT to_regclass('applied_migrations') IS NOT NULL AS found`,
    [],
  );
  const applied = exists[0]?.found ? await appliedMigrations(database.orm) : new Map<string, string>();
  assertKnown(applied);
  const missing = known.filter(({ name }) => !applied.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    throw new SchemaError(
      `The database's schema is behind (${missing.join(', ')}): run \`bun run migrate\`.`,
    );
  }
}

interface Migration {
  name: string;
  hash: string;
  statements: string[];
}

async function appliedMigrations(orm: Pick<Orm, 'select'>): Promise<Map<string, string>> {
  const rows = await orm
    .select({ name: sql<string>`name`, hash: sql<string>`hash` })
    .from(sql`applied_migrations`);
  return new Map(rows.map(({ name, hash }) => [name, hash]));
}

function assertKnown(applied: ReadonlyMap<string, string>): void {
  const hashes = new Map(known.map(({ name, hash }) => [name, hash]));
  for (const [name, hash] of applied) {
    const expected = hashes.get(name);
    if (expected === undefined) {
      throw new SchemaError(
        `The database was migrated by a newer version (${name}): run that version, or an own database.`,
      );
    }
    if (expected !== hash) {
      throw new SchemaError(`drizzle/${name}.sql was edited after it had been applied: restore it.`);
    }
  }
}
