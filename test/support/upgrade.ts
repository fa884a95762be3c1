import { readMigrationFiles } from 'drizzle-orm/migrator';
import type { Database } from '../../src/db/database.ts';
import { repository } from './repository.ts';

/** The schema as it was before the migration of this name, with the record of what was applied. */
export async function migrateUpTo(database: Database, name: string): Promise<void> {
  const folder = `${repository}/drizzle`;
  const { entries } = await Bun.file(`${folder}/meta/_journal.json`).json();
  const files = readMigrationFiles({ migrationsFolder: folder });
  const end = entries.findIndex(({ tag }: { tag: string }) => tag === name);
  if (end < 0) throw new Error(`there is no migration ${name}`);
  await database.query(
    `CREATE TABLE applied_migrations (
      name text PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
    )`,
    [],
  );
  for (const [at, { sql, hash }] of files.slice(0, end).entries()) {
    for (const statement of sql) await database.query(statement, []);
    await database.query('INSERT INTO applied_migrations (name, hash) VALUES ($1, $2)', [
      entries[at].tag,
      hash,
    ]);
  }
}
