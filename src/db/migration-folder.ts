import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface MigrationFile {
  name: string;
  text: string;
}

/**
 * The files of `drizzle/`, in the order of its journal. Imported as a macro (`with { type: 'macro' }`): then they are part of the
 * program, also of one that `bun build --compile` has made, which has no such folder.
 */
export function readOwnMigrations(): MigrationFile[] {
  // Not the URL's pathname: that keeps a space as %20, and puts a slash before a drive.
  const folder = fileURLToPath(new URL('../../drizzle', import.meta.url));
  const journal: { entries: { tag: string }[] } = JSON.parse(
    readFileSync(`${folder}/meta/_journal.json`, 'utf8'),
  );
  return journal.entries.map(({ tag }) => ({
    name: tag,
    text: readFileSync(`${folder}/${tag}.sql`, 'utf8'),
  }));
}
