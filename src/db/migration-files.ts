import { fileURLToPath } from 'node:url';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { SchemaError } from './schema-error.ts';

// Not the URL's pathname: that keeps a space as %20, and puts a slash before a drive.
const ownFolder = fileURLToPath(new URL('../../drizzle', import.meta.url));

export interface Migration {
  name: string;
  hash: string;
  statements: string[];
  /**
   * `-- compatible since: <name>`: a program whose newest migration is that one works on, and with, what this one makes.
   * Without the line none does that does not know this one.
   */
  compatibleSince: string;
  /** False for `-- no transaction`: each statement is committed by itself, and does no harm when it is run again. */
  inOneTransaction: boolean;
}

/** In their order. @throws SchemaError when the journal names a file that is not there */
export async function readMigrations(migrationsFolder: string = ownFolder): Promise<Migration[]> {
  const journal: { entries: { tag: string }[] } = await Bun.file(
    `${migrationsFolder}/meta/_journal.json`,
  ).json();
  const files = readMigrationFiles({ migrationsFolder });
  return journal.entries.map(({ tag }, at) => {
    const file = files[at];
    if (!file) throw new SchemaError(`drizzle/${tag}.sql is missing.`);
    const lines = headerOf(file.sql[0] ?? '');
    return {
      name: tag,
      hash: file.hash,
      // drizzle-kit names the schema in references; which one it is the connection's search_path says.
      statements: file.sql.map((statement) => statement.replaceAll('"public".', '')),
      compatibleSince:
        lines
          .find((line) => line.startsWith(sinceMark))
          ?.slice(sinceMark.length)
          .trim() ?? tag,
      inOneTransaction: !lines.includes('-- no transaction'),
    };
  });
}

const sinceMark = '-- compatible since:';

/** The comments at the beginning of a file. */
function headerOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const end = lines.findIndex((line) => !line.startsWith('--'));
  return end < 0 ? lines : lines.slice(0, end);
}
