import type { DatabaseHost, DatabaseTarget } from '../shared/config/connection-string.ts';
import type { TlsMode } from '../shared/config/tls-options.ts';
import { type Connection, createConnection } from './connection.ts';
import { dial, type Encryption } from './dial.ts';
import {
  ConnectionLost,
  databaseErrorCode,
  isInstallationError,
  NotWritable,
  reasonOf,
  serverTimeoutMs,
} from './errors.ts';

/**
 * What stands between here and PostgreSQL. `session`: nothing, or what gives each connection a session of its own. `transaction`:
 * a pooler that may give each transaction another session, so that a setting would be somebody else's.
 */
export type Pooling = 'session' | 'transaction';

/** What every session here has. */
export const sessionSettings: Readonly<Record<string, string>> = {
  statement_timeout: `${serverTimeoutMs}`,
  lock_timeout: `${serverTimeoutMs}`,
  idle_in_transaction_session_timeout: `${serverTimeoutMs}`,
  // Every statement here finds its rows by key. A plan made while a table was empty would scan it until the next
  // ANALYZE, whatever has come since (measured: 29 ms a page of history instead of 0.3).
  enable_seqscan: 'off',
  // Most statements have the same plan with it. But all rows of a user, of whom no plan knows how many there are, would be read by
  // a bitmap and sorted: the list of chats of a user of 5,000 took 1.1 of the time, the totals 1.3. For these statements
  // alone it would be a function each, or a transaction with a `SET LOCAL` before it.
  enable_bitmapscan: 'off',
  // Planned once a session. PostgreSQL would plan anew at each execution where a plan for the very values looks cheaper:
  // for a page of history it always did, which cost more than to read the page (bench/history.ts).
  plan_cache_mode: 'force_generic_plan',
  // For the same reason: on few rows, to merge two tables looks cheaper than to look up each, and stays the plan.
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  // A plan that has to scan all the same looks expensive enough to be compiled.
  jit: 'off',
};

/** A caller does not wait longer than 5 s, so neither does an attempt to connect, its other hosts included. */
const longestConnectMs = 4_000;

export interface ConnectorOptions {
  target: DatabaseTarget;
  applicationName: string;
  pooling: Pooling;
  /** How long a statement may take: no connection is replaced for its age sooner. */
  mostSilentMs?: number;
}

export interface Connector {
  /** For messages: where it connects to. */
  readonly address: string;
  /**
   * A session that can write, with {@link sessionSettings} where it is one's own.
   * @throws PostgresRefusal, NotWritable, ConnectionLost, and what PostgreSQL or the network says
   */
  open(signal?: AbortSignal): Promise<Connection>;
}

export function createConnector({
  target,
  applicationName,
  pooling,
  mostSilentMs = 0,
}: ConnectorOptions): Connector {
  const address = target.hosts.map(addressOf).join(',');
  const connectMs = Math.min(target.connectTimeoutMs ?? longestConnectMs, longestConnectMs);
  const ownName = [applicationName, ...(target.applicationName ? [`(${target.applicationName})`] : [])].join(
    ' ',
  );
  const beginSql = pooling === 'session' ? 'BEGIN' : `BEGIN; ${localTimeouts}`;
  /** The one that answered last is tried first. */
  let first = 0;

  async function open(signal?: AbortSignal): Promise<Connection> {
    const end = performance.now() + connectMs;
    const failures: { host: DatabaseHost; error: unknown }[] = [];
    const order = target.shuffled ? shuffled(target.hosts.length) : rotated(target.hosts.length, first);
    for (const [at, index] of order.entries()) {
      const host = target.hosts[index];
      if (!host) continue;
      try {
        const share = (end - performance.now()) / (order.length - at);
        const connection = await openAt(host, Math.max(100, share), signal);
        first = index;
        return connection;
      } catch (error) {
        failures.push({ host, error });
        // Who is there and refuses is not asked elsewhere, as with libpq.
        if (signal?.aborted || isInstallationError(error)) break;
      }
    }
    throw failureOf(failures);
  }

  async function openAt(host: DatabaseHost, ms: number, signal?: AbortSignal): Promise<Connection> {
    const over = new AbortController();
    const timer = setTimeout(
      () => over.abort(new ConnectionLost(`no connection within ${Math.round(ms)} ms`, 'CONNECT_TIMEOUT')),
      ms,
    );
    const abort = () => over.abort(signal?.reason);
    signal?.addEventListener('abort', abort);
    try {
      const [encryption, otherwise] = encryptionOf(target.tls.mode);
      return await openOnce(host, encryption, over.signal).catch((error: unknown) => {
        // PostgreSQL knows no such way in (pg_hba.conf); perhaps the other one.
        if (!otherwise || databaseErrorCode(error) !== '28000') throw error;
        return openOnce(host, otherwise, over.signal);
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  async function openOnce(
    host: DatabaseHost,
    encryption: Encryption,
    signal: AbortSignal,
  ): Promise<Connection> {
    const socket = await dial(host, { tls: target.tls, encryption, signal });
    const connection = createConnection(socket, {
      target,
      host,
      applicationName: ownName,
      beginSql,
      mostSilentMs,
    });
    const over = Promise.withResolvers<never>();
    const abort = () => over.reject(signal.reason);
    signal.addEventListener('abort', abort);
    try {
      await Promise.race([prepare(connection), over.promise]);
      signal.throwIfAborted();
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async function prepare({ client }: Connection): Promise<void> {
    const [session] = await client.unsafe<{ standby: boolean }[]>(
      pooling === 'session' ? `${stateSql}, ${setSql}` : stateSql,
    );
    if (session?.standby) throw new NotWritable('it is a standby, which takes no writes');
  }

  return { address, open };
}

const stateSql = 'SELECT pg_is_in_recovery() AS standby';
const setSql = Object.entries(sessionSettings)
  .map(([name, value]) => `set_config('${name}', '${value}', false) AS ${name}`)
  .join(', ');
/** In the message that begins a transaction, so they cost no round trip. */
const localTimeouts = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']
  .map((name) => `SET LOCAL ${name} = ${serverTimeoutMs}`)
  .join('; ');

/** As libpq tries them, one after the other. */
function encryptionOf(mode: TlsMode): [Encryption, Encryption?] {
  if (mode === 'disable') return ['never'];
  if (mode === 'allow') return ['never', 'always'];
  return mode === 'prefer' ? ['ifOffered', 'never'] : ['always'];
}

function addressOf({ name, address, port }: DatabaseHost): string {
  if (name.startsWith('/')) return `${name}/.s.PGSQL.${port}`;
  const host = address ?? name;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Of several hosts the one that says most: a refusal, else the first; with what all of them say. */
function failureOf(failures: readonly { host: DatabaseHost; error: unknown }[]): unknown {
  const errors = failures.map(({ error }) => error);
  const cause = errors.find(isInstallationError) ?? errors[0];
  if (failures.length < 2) return cause;
  const message = failures.map(({ host, error }) => `${addressOf(host)}: ${reasonOf(error)}`).join('; ');
  return Object.assign(new Error(message), { code: databaseErrorCode(cause) });
}

const rotated = (length: number, first: number): number[] =>
  Array.from({ length }, (_, at) => (at + first) % length);

const shuffled = (length: number): number[] =>
  rotated(length, 0)
    .map((at) => ({ at, by: Math.random() }))
    .sort((one, two) => one.by - two.by)
    .map(({ at }) => at);
