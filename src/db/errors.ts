import { ChatError } from '../shared/errors.ts';

/** No caller waits longer for an answer, and no connection is silent longer with something asked on it. */
export const databaseTimeoutMs = 5_000;

/**
 * No statement, lock or idle transaction lasts longer. PostgreSQL says so itself before anybody here stops waiting: who has
 * not said a word after `databaseTimeoutMs` is not slow but gone.
 */
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

const readOnlyState = '25006';

const refusalCode = 'REFUSED_FOR_GOOD';

/** What is there and cannot be used, where no SQLSTATE says so: a certificate, a pooler, an encoding. The message says why. */
export class PostgresRefusal extends Error {
  override name = 'PostgresRefusal';
  readonly code = refusalCode;
}

/** The connection is no more; with it the transaction, and the answer to what was asked on it. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost';
  readonly code: 'CONNECTION_CLOSED' | 'CONNECT_TIMEOUT';

  constructor(message: string, code: ConnectionLost['code'] = 'CONNECTION_CLOSED') {
    super(message);
    this.code = code;
  }
}

/** A standby: where it is promoted, or another host is, it passes. */
export class NotWritable extends Error {
  override name = 'NotWritable';
  readonly code = readOnlyState;
}

/** The driver's code of an error, looked for through drizzle's wrapper: a SQLSTATE or a name like `ECONNREFUSED`. */
export function databaseErrorCode(error: unknown): string | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ('code' in current && typeof current.code === 'string' && !(current instanceof ChatError)) {
      return current.code;
    }
  }
  return undefined;
}

/** Whether waiting may help: the statement was not wrong, PostgreSQL was not there, or had no time. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (error instanceof ChatError)
    return error.code === 'database_unavailable' || error.code === 'server_busy';
  const code = databaseErrorCode(error);
  if (code === undefined) return false;
  return connectionCode.test(code) || passingStates.has(code) || passingClasses.has(code.slice(0, 2));
}

/** Whether PostgreSQL itself gave the statement up, for its time or for a lock that somebody holds: it is there. */
export function isTimeout(error: unknown): boolean {
  const code = databaseErrorCode(error);
  return code === '57014' || code === '55P03';
}

/**
 * Whether the connection is worth nothing after it: it is gone, PostgreSQL is closing it (SQLSTATE classes 08, 57P), or it leads to
 * what has become a standby, and the next one may find who is none.
 */
export function spoilsConnection(error: unknown): boolean {
  const code = databaseErrorCode(error) ?? '';
  return code === readOnlyState || /^(08...|57P..)$/.test(code) || connectionCode.test(code);
}

/**
 * SQLSTATE classes of an installation that somebody has to mend: 0A and 26 (a plan or prepared statement that a migration
 * or a pooler took away), 28 (password), 3D and 3F (no such database or schema), 42 (permission, function, column).
 */
const installationClasses: ReadonlySet<string> = new Set(['0A', '26', '28', '3D', '3F', '42']);

/** PgBouncer has one SQLSTATE for all it says, of which most passes. */
const poolerRefusal = /^(unsupported startup parameter|no such (database|user))/;

/** Whether PostgreSQL is there but not as it should be: no message is at fault, and it may be mended at any moment. */
export function isInstallationError(error: unknown): boolean {
  const state = databaseErrorCode(error);
  // A TLS alert, after the server has seen our certificate.
  if (state === refusalCode || state?.startsWith('ERR_SSL_')) return true;
  if (state === '08P01' && poolerRefusal.test(reasonOf(error))) return true;
  return state !== undefined && /^[0-9A-Z]{5}$/.test(state) && installationClasses.has(state.slice(0, 2));
}

/** Whether the values of a statement are at fault (SQLSTATE 22, 23): trying again gives the same answer. */
export function isDataError(error: unknown): boolean {
  const state = databaseErrorCode(error);
  return state !== undefined && /^2[23][0-9A-Z]{3}$/.test(state);
}

export const isUniqueViolation = (error: unknown): boolean => databaseErrorCode(error) === '23505';

/**
 * What a caller is told of an error that has nothing to do with what it asked; any other error as it is. Its text is kept for the
 * log: here it names what is wrong and no values.
 */
export function toCaller(error: unknown): unknown {
  if (error instanceof ChatError) return error;
  if (!isDatabaseUnavailable(error) && !isInstallationError(error)) return error;
  return databaseUnavailable(new Error(reasonOf(error), { cause: error }));
}

/** The server's or the operating system's own words, below the wrappers of drivers. */
export const innermostReason = (error: unknown): string => {
  const innermost = innermostOf(error);
  return innermost instanceof Error ? innermost.message : String(innermost);
};

/** {@link innermostReason}, with the SQLSTATE where there is one. */
export function reasonOf(error: unknown): string {
  const code = databaseErrorCode(innermostOf(error));
  const isState = code !== undefined && /^[0-9A-Z]{5}$/.test(code);
  return isState ? `${innermostReason(error)} (SQLSTATE ${code})` : innermostReason(error);
}

function innermostOf(error: unknown): unknown {
  let current = error;
  while (current instanceof Error && !(current instanceof PostgresRefusal) && current.cause !== undefined) {
    current = current.cause;
  }
  return current;
}

export function databaseUnavailable(cause: unknown): ChatError {
  return new ChatError('database_unavailable', undefined, { cause, retryAfterSeconds: 2 });
}
