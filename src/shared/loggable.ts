/**
 * What the log may hold of an error. PostgreSQL and drizzle put values into messages and details (a failing row, the
 * parameters of a statement): of theirs only the code, the place and the stack's frames are kept. What others hang on an
 * error besides its message is left out too: ioredis the arguments of a command, PGlite the parameters of a statement.
 */
export function loggable(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  const { name, message, stack, cause } = error;
  const fields = error as Error & { code?: unknown; table_name?: unknown; constraint_name?: unknown };
  const fromDatabase = isFromDatabase(error);
  return {
    type: name,
    ...(typeof fields.code === 'string' ? { code: fields.code } : {}),
    ...(fromDatabase ? { table: fields.table_name, constraint: fields.constraint_name } : { message }),
    stack: stack?.slice(Math.max(0, stack.indexOf('\n    at '))),
    ...(cause === undefined ? {} : { cause: loggable(cause) }),
  };
}

/** An error in one short text, for what is logged once a request while a server is away. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return isFromDatabase(error) ? (codeOf(error) ?? error.name) : error.message;
}

/** Its own, or that of what caused it: drizzle's wrapper has none. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return 'code' in error && typeof error.code === 'string' ? error.code : codeOf(error.cause);
}

const isFromDatabase = (error: Error): boolean => 'severity' in error || 'query' in error;
