import { ChatError } from '../shared/errors.ts';

/** No caller waits longer for an answer. */
export const databaseTimeoutMs = 5_000;

/** No statement, lock or idle transaction lasts longer: PostgreSQL says so itself before anybody here stops waiting. */
export const serverTimeoutMs = 4_500;

/**
 * A connection that is not there, in the words of postgres.js (`CONNECTION_CLOSED`, `CONNECT_TIMEOUT`) or of the operating
 * system and its resolver (`ECONNREFUSED`, `EHOSTUNREACH`, `EAI_AGAIN`): a list of the latter would always lack one.
 * `ERR_` begins what a wrong call is told.
 */
const connectionCode = /^(CONNECTION_|CONNECT_TIMEOUT$|E(?!RR_)[A-Z_]{4,}$)/;

/** SQLSTATE classes 08 (connection), 53 (resources), 57 (operator intervention, statement timeout), 58 (system). */
const passingClasses: ReadonlySet<string> = new Set(['08', '53', '57', '58']);

/** Serialization failure, deadlock, lock timeout, idle-in-transaction timeout, read-only (a standby after fail-over). */
const passingStates: ReadonlySet<string> = new Set(['40001', '40P01', '55P03', '25P03', '25006']);

/** The driver's code of an error, looked for through drizzle's wrapper: a SQLSTATE or a name like `ECONNREFUSED`. */
export function databaseErrorCode(error: unknown): string | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ('code' in current && typeof current.code === 'string' && !(current instanceof ChatError)) {
      return current.code;
    }
  }
  return undefined;
}

/** The server's or the operating system's own words, below the wrappers of drivers. */
export function innermostReason(error: unknown): string {
  let current = error;
  while (current instanceof Error && current.cause !== undefined) current = current.cause;
  return current instanceof Error ? current.message : String(current);
}

/** Whether waiting may help: the statement was not wrong, PostgreSQL was not there. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (error instanceof ChatError) return error.code === 'database_unavailable';
  const code = databaseErrorCode(error);
  if (code === undefined) return false;
  return connectionCode.test(code) || passingStates.has(code) || passingClasses.has(code.slice(0, 2));
}

/** Whether PostgreSQL itself gave the statement up, for its time or for a lock that somebody holds: it is there. */
export function isTimeout(error: unknown): boolean {
  const code = databaseErrorCode(error);
  return code === '57014' || code === '55P03';
}

/** Whether the connection itself is gone, and with it the transaction. */
export function isConnectionLost(error: unknown): boolean {
  const code = databaseErrorCode(error);
  return code !== undefined && connectionCode.test(code);
}

/**
 * SQLSTATE classes of an installation that somebody has to mend: 0A and 26 (a plan or prepared statement that a migration
 * or a pooler took away), 28 (password), 3D and 3F (no such database or schema), 42 (permission, function, column).
 */
const installationClasses: ReadonlySet<string> = new Set(['0A', '26', '28', '3D', '3F', '42']);

/** Whether PostgreSQL is there but not as it should be: no message is at fault, and it may be mended at any moment. */
export function isInstallationError(error: unknown): boolean {
  const state = databaseErrorCode(error);
  return state !== undefined && /^[0-9A-Z]{5}$/.test(state) && installationClasses.has(state.slice(0, 2));
}

/** Whether the values of a statement are at fault (SQLSTATE 22, 23): trying again gives the same answer. */
export function isDataError(error: unknown): boolean {
  const state = databaseErrorCode(error);
  return state !== undefined && /^2[23][0-9A-Z]{3}$/.test(state);
}

export const isUniqueViolation = (error: unknown): boolean => databaseErrorCode(error) === '23505';

export function databaseUnavailable(cause: unknown): ChatError {
  return new ChatError('database_unavailable', undefined, { cause, retryAfterSeconds: 2 });
}
