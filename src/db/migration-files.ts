import { createHash } from 'node:crypto';
import { readMigrationFolder as readOwnFolder } from './migration-folder.ts' with { type: 'macro' };
import { type MigrationFile, readMigrationFolder } from './migration-folder.ts';

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

const own: readonly MigrationFile[] = readOwnFolder();

/**
 * In their order.
 * @param folder `drizzle/` as it was when the program was made, where none is given
 * @throws SchemaError when its journal names a file that is not there
 */
export function readMigrations(folder?: string): Migration[] {
  return (folder === undefined ? own : readMigrationFolder(folder)).map(migrationOf);
}

function migrationOf({ name, text }: MigrationFile): Migration {
  const statements = text.split('--> statement-breakpoint');
  const lines = headerOf(statements[0] ?? '');
  return {
    name,
    hash: createHash('sha256').update(text).digest('hex'),
    // drizzle-kit names the schema in references; which one it is the connection's search_path says.
    statements: statements.map((statement) => statement.replaceAll('"public".', '')),
    compatibleSince:
      lines
        .find((line) => line.startsWith(sinceMark))
        ?.slice(sinceMark.length)
        .trim() ?? name,
    inOneTransaction: !lines.includes('-- no transaction'),
  };
}

const sinceMark = '-- compatible since:';

/** The comments at the beginning of a file. */
function headerOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const end = lines.findIndex((line) => !line.startsWith('--'));
  return end < 0 ? lines : lines.slice(0, end);
}
