import type { Database } from './database.ts';
import { databaseErrorCode, innermostReason } from './errors.ts';
import { SchemaError } from './schema-error.ts';

/**
 * With PostgreSQL's own reason, not the driver's wrapper around it, and with what mends it where that is known.
 * @param what what failed, as the beginning of a sentence
 */
export async function schemaFailure(
  database: Pick<Database, 'query'>,
  what: string,
  error: unknown,
): Promise<SchemaError> {
  if (error instanceof SchemaError) return error;
  const code = databaseErrorCode(error);
  const mend = code === undefined ? undefined : await mendOf(database, code);
  return new SchemaError([`${what}: ${innermostReason(error)}`, mend].filter(Boolean).join('. '), {
    cause: error,
  });
}

async function mendOf(database: Pick<Database, 'query'>, code: string): Promise<string | undefined> {
  switch (code) {
    case '42501': {
      const { role, schema } = await whoAndWhere(database);
      return (
        `The tables belong to whoever migrates: use one role for it always, and give it the right ` +
        `(GRANT USAGE, CREATE ON SCHEMA ${schema ?? 'public'} TO ${role})`
      );
    }
    case '3F000':
      return 'None of the schemas that the connection searches is there: CREATE SCHEMA, or another search_path';
    case '42P07':
    case '42710':
    case '42723':
      return 'Something of this name is there that Confab has not made: give it a database of its own, or a schema';
    default:
      return undefined;
  }
}

async function whoAndWhere(
  database: Pick<Database, 'query'>,
): Promise<{ role: string; schema: string | null }> {
  const [row] = await database.query<{ role: string; schema: string | null }>(
    'SELECT quote_ident(current_user) AS role, quote_ident(current_schema()) AS schema',
    [],
  );
  return row ?? { role: 'it', schema: null };
}
