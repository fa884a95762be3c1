import type { Socket } from 'node:net';
import postgres from 'postgres';
import type { DatabaseHost, DatabaseTarget } from '../shared/config/connection-string.ts';
import { arrayTypes } from './array-types.ts';
import { ConnectionLost } from './errors.ts';

/** What drizzle calls of a client of postgres.js. */
export interface StatementRunner {
  readonly options: Pick<postgres.ParsedOptions, 'parsers' | 'serializers'>;
  unsafe(text: string, parameters?: readonly unknown[], options?: postgres.UnsafeQueryOptions): PendingRows;
  /** One transaction around `work`. */
  begin<Result>(work: (inside: StatementRunner) => Promise<Result>): Promise<Result>;
}

/** Begins when it is awaited, like a query of postgres.js. */
interface PendingRows extends PromiseLike<unknown> {
  values(): Promise<unknown>;
}

/** One session at PostgreSQL: it opens once and closes once. */
export interface Connection {
  readonly client: postgres.Sql;
  readonly runner: StatementRunner;
  readonly closed: boolean;
  /** By `performance.now()`: no longer kept once it is not in use. */
  readonly retiresAt: number;
  /** Called once, whoever ended it. */
  onClose: () => void;
  /** At once; what was asked on it fails. */
  destroy(): void;
  /** In good order: nothing may be under way. */
  end(): Promise<void>;
}

const asItIs = (value: unknown) => value;
/** A connection is replaced after half an hour to an hour: memory of its backend, another address behind the same name. */
const lifetimeMs = () => 1_800_000 * (1 + Math.random());

/**
 * @param socket on which nothing has been said yet
 * @param beginSql begins a transaction
 */
export function createConnection(
  socket: Socket,
  {
    target,
    host,
    applicationName,
    beginSql,
    mostSilentMs,
  }: {
    target: Pick<DatabaseTarget, 'user' | 'password' | 'database' | 'startParameters'>;
    host: DatabaseHost;
    applicationName: string;
    beginSql: string;
    mostSilentMs: number;
  },
): Connection {
  let closed = false;
  let taken = false;
  let lost: Error = new ConnectionLost('the server closed the connection');
  // First of all listeners: who asks something of a connection that is being closed is told so here, not by a write to a
  // socket that postgres.js has let go of, which nobody could catch.
  socket.once('error', (error) => {
    closed = true;
    lost = error;
  });
  socket.once('close', () => {
    closed = true;
    connection.onClose();
  });

  const client = postgres({
    host: host.name,
    port: host.port,
    user: target.user,
    // A function, because an empty string would be looked up in the environment.
    pass: () => target.password,
    database: target.database,
    // Its types do not know this option. It is asked in a tick of its own, and once more where the connection ended while it was
    // being made; another one is for the pool to open.
    socket: () => {
      if (taken || closed) throw lost;
      taken = true;
      return socket;
    },
    ssl: false,
    max: 1,
    max_pipeline: 100,
    max_lifetime: null,
    connect_timeout: 0,
    fetch_types: false,
    types: {
      int8: { to: 20, from: [20], serialize: String, parse: Number },
      // PostgreSQL's own form; what leaves the process goes through `iso()`.
      date: {
        to: 1184,
        from: [1184, 1082, 1083, 1114],
        serialize: asItIs,
        parse: asItIs,
      },
      ...arrayTypes,
      json: { to: 3802, from: [114, 3802], serialize: asItIs, parse: (text: string) => JSON.parse(text) },
    },
    onnotice: () => {},
    connection: { ...target.startParameters, application_name: applicationName },
  } as postgres.Options<Record<string, postgres.PostgresType>>);

  const unsafe: StatementRunner['unsafe'] = (text, parameters = [], options = {}) =>
    pending(async (shape) => {
      if (closed) throw new ConnectionLost('the connection was closed');
      return shape(client.unsafe(text, parameters as never[], options));
    });

  async function begin<Result>(work: (inside: StatementRunner) => Promise<Result>): Promise<Result> {
    await unsafe(beginSql);
    let result: Result;
    try {
      result = await work(connection.runner);
    } catch (error) {
      await rollBack();
      throw error;
    }
    const ended = (await unsafe('COMMIT')) as { command: string };
    // Of a transaction in which a statement has failed, whoever caught it.
    if (ended.command === 'ROLLBACK') throw new Error('the transaction was rolled back');
    return result;
  }

  async function rollBack(): Promise<void> {
    if (closed) return;
    try {
      await unsafe('ROLLBACK');
    } catch {
      connection.destroy();
    }
  }

  const connection: Connection = {
    client,
    runner: { options: client.options, unsafe, begin },
    get closed() {
      return closed;
    },
    // A session that was given settings for long statements keeps them from one to the next.
    retiresAt: performance.now() + Math.max(lifetimeMs(), mostSilentMs),
    onClose: () => {},
    destroy() {
      closed = true;
      socket.destroy();
    },
    async end() {
      if (!closed) await client.end({ timeout: 2 });
      // Where the other side has not answered the goodbye.
      socket.destroy();
    },
  };
  return connection;
}

/** @param run starts the statement, once it is known in which shape its rows are wanted */
export function pending(
  run: (shape: (rows: PendingRows) => PromiseLike<unknown>) => Promise<unknown>,
): PendingRows {
  return {
    // biome-ignore lint/suspicious/noThenProperty: a query of postgres.js is one too
    then: (onRows, onError) => run((rows) => rows).then(onRows, onError),
    values: () => run((rows) => rows.values()),
  };
}
