import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SchemaError } from './schema-error.ts';

export interface MigrationFile {
  name: string;
  text: string;
}

// Not the URL's pathname: that keeps a space as %20, and puts a slash before a drive.
const ownFolder = fileURLToPath(new URL('../../drizzle', import.meta.url));

/**
 * The files of a folder of migrations, in the order of its journal. Imported as a macro (`with { type: 'macro' }`), those of
 * `drizzle/` are part of the program: one that `bun build --compile` has made has no such folder.
 * @throws SchemaError when the journal names a file that is not there
 */
export function readMigrationFolder(folder: string = ownFolder): MigrationFile[] {
  const journal: { entries: { tag: string }[] } = JSON.parse(
    readFileSync(`${folder}/meta/_journal.json`, 'utf8'),
  );
  return journal.entries.map(({ tag }) => {
    const path = `${folder}/${tag}.sql`;
    if (!existsSync(path)) throw new SchemaError(`drizzle/${tag}.sql is missing.`);
    return { name: tag, text: readFileSync(path, 'utf8') };
  });
}
