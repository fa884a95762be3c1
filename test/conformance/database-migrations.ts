import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '../../src/db/database.ts';
import { assertMigrated, migrate } from '../../src/db/migrate.ts';
import { SchemaError } from '../../src/db/schema-error.ts';

/** What every `Database` does alike with migrations of any kind; the caller gives an empty one and closes it. */
export function migrationsConformance(name: string, open: () => Promise<Database>): void {
  describe(`migrations: ${name}`, () => {
    let database: Database;
    const versions = migrationFolders();
    beforeAll(async () => {
      database = await open();
    }, 30_000);

    const tables = async () => {
      const rows = await database.query<{ name: string }>(
        `SELECT relname AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY 1`,
        [],
      );
      return rows.map(({ name }) => name);
    };
    const index = async (named: string) =>
      (
        await database.query<{ oid: number; valid: boolean }>(
          'SELECT indexrelid::int AS oid, indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass($1::text)',
          [named],
        )
      )[0];

    const first = { '0000_first': 'CREATE TABLE first (a int)' };
    const second = {
      ...first,
      '0001_second': '-- compatible since: 0000_first\nCREATE TABLE second (a int)',
    };

    test('an older version starts on what says that it is compatible with it, and migrates nothing', async () => {
      const [old, new_] = [await versions(first), await versions(second)];
      expect(await migrate(database, { folder: old })).toEqual(['0000_first']);
      expect(await migrate(database, { folder: new_ })).toEqual(['0001_second']);
      await assertMigrated(database, { folder: old });
      expect(await migrate(database, { folder: old })).toEqual([]);
      await assertMigrated(database, { folder: new_ });
    });

    test('one that is older than what a migration is compatible with is refused, and one that says nothing refuses all', async () => {
      const third = {
        ...second,
        '0002_third': '-- compatible since: 0001_second\nCREATE TABLE third (a int)',
      };
      const folder = await versions(third);
      expect(await migrate(database, { folder })).toEqual(['0002_third']);
      await assertMigrated(database, { folder: await versions(second) });
      const old = { folder: await versions(first) };
      await expect(assertMigrated(database, old)).rejects.toThrow(/newer version \(0002_third\)/);
      await expect(migrate(database, old)).rejects.toThrow(SchemaError);

      const silent = await versions({ ...third, '0003_silent': 'CREATE TABLE silent (a int)' });
      await migrate(database, { folder: silent });
      await expect(assertMigrated(database, { folder })).rejects.toThrow(/newer version \(0003_silent\)/);
      await database.query(`DELETE FROM recorded_migrations WHERE name IN ('0002_third', '0003_silent')`, []);
    });

    test('a record of the first versions, which knew of no compatibility, is read and goes on', async () => {
      await database.query(`DELETE FROM recorded_migrations WHERE name = '0001_second'`, []);
      await database.query('DROP TABLE second', []);
      await database.query('DROP VIEW applied_migrations', []);
      await database.query('ALTER TABLE recorded_migrations RENAME TO applied_migrations', []);
      await database.query('ALTER TABLE applied_migrations DROP COLUMN compatible_since', []);
      await assertMigrated(database, { folder: await versions(first) });
      const folder = await versions(second);
      await expect(assertMigrated(database, { folder })).rejects.toThrow(/behind \(0001_second\)/);
      expect(await migrate(database, { folder })).toEqual(['0001_second']);
      await assertMigrated(database, { folder: await versions(first) });
    });

    test('a migration in one transaction leaves nothing when it fails, and says why in the words of PostgreSQL', async () => {
      const broken = {
        ...second,
        '0002_broken': 'CREATE TABLE half (a int);\n--> statement-breakpoint\nSELECT 1 / 0',
      };
      const failed = await migrate(database, { folder: await versions(broken) }).catch((error) => error);
      expect(failed).toBeInstanceOf(SchemaError);
      expect(failed.message).toBe('drizzle/0002_broken.sql failed: division by zero');
      expect(await tables()).not.toContain('half');
    });

    test('one without a transaction keeps what it has done, is missing until its end, and goes on from there', async () => {
      const outside = (last: string) => ({
        ...second,
        '0002_outside': [
          '-- compatible since: 0000_first\n-- no transaction\nCREATE TABLE IF NOT EXISTS kept (a int)',
          'INSERT INTO kept VALUES (1)',
          'CREATE INDEX CONCURRENTLY kept_a ON kept (a)',
          last,
        ].join(';\n--> statement-breakpoint\n'),
      });
      const broken = await versions(outside('SELECT 1 / 0'));
      await expect(migrate(database, { folder: broken })).rejects.toThrow(
        /0002_outside\.sql failed: division/,
      );
      expect(await tables()).toContain('kept');
      await expect(assertMigrated(database, { folder: broken })).rejects.toThrow(/behind \(0002_outside\)/);
      const made = await index('kept_a');
      const mended = await versions(outside('SELECT 1'));
      expect(await migrate(database, { folder: mended })).toEqual(['0002_outside']);
      // The finished index is not made again.
      expect(await index('kept_a')).toEqual(made!);
      await assertMigrated(database, { folder: mended });
    });

    test('an index that an interrupted run left invalid is dropped and made again', async () => {
      const folder = await versions({
        ...second,
        '0002_outside': '-- no transaction\nSELECT 1',
        '0003_unique':
          '-- no transaction\nCREATE UNIQUE INDEX CONCURRENTLY "kept_unique" ON kept USING btree (a)',
      });
      await database.query(`DELETE FROM recorded_migrations WHERE name = '0002_outside'`, []);
      // Two rows of the same value: the index cannot be finished, and stays as it is.
      await database.query('INSERT INTO kept VALUES (7), (7)', []);
      await expect(migrate(database, { folder })).rejects.toThrow(
        /0003_unique\.sql failed: could not create/,
      );
      const left = await index('kept_unique');
      expect(left?.valid).toBe(false);
      await database.query('TRUNCATE kept', []);
      expect(await migrate(database, { folder })).toEqual(['0003_unique']);
      const made = await index('kept_unique');
      expect(made?.valid).toBe(true);
      expect(made?.oid).not.toBe(left!.oid);
    });

    test('an edited file is refused', async () => {
      const folder = await versions({ '0000_first': 'CREATE TABLE first (b int)' });
      await expect(assertMigrated(database, { folder })).rejects.toThrow(/edited/);
    });
  });
}

/** Makes folders of migrations, as drizzle-kit would; removed after the file. */
export function migrationFolders(): (migrations: Record<string, string>) => Promise<string> {
  const folders: string[] = [];
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });
  return async (migrations) => {
    const folder = await mkdtemp(join(tmpdir(), 'confab-migrations-'));
    folders.push(folder);
    await mkdir(join(folder, 'meta'));
    const entries = Object.keys(migrations).map((tag, idx) => ({
      idx,
      tag,
      when: idx + 1,
      breakpoints: true,
    }));
    await Bun.write(join(folder, 'meta', '_journal.json'), JSON.stringify({ version: '7', entries }));
    for (const [tag, text] of Object.entries(migrations)) await Bun.write(join(folder, `${tag}.sql`), text);
    return folder;
  };
}
