import { randomBytes } from 'node:crypto';
import { partitionHashName } from '../shared/partition.ts';
import type { Database } from './database.ts';
import { SchemaError } from './schema-error.ts';

const recordSql = `INSERT INTO settings (key, value) VALUES ('partition_count', $1), ('partition_hash', $2)
ON CONFLICT (key) DO NOTHING`;
const replaceSql = `INSERT INTO settings (key, value) VALUES ('partition_count', $1), ('partition_hash', $2)
ON CONFLICT (key) DO UPDATE SET value = excluded.value`;
const readSql = `SELECT key, value FROM settings WHERE key IN ('partition_count', 'partition_hash')`;

export interface Partitioning {
  count: number;
  hash: string;
}

/** What the database says of the partitions; undefined before the first start. */
export async function readPartitioning(database: Database): Promise<Partitioning | undefined> {
  const rows = await database.query<{ key: string; value: string }>(readSql, []);
  const values = new Map(rows.map(({ key, value }) => [key, value]));
  const count = values.get('partition_count');
  const hash = values.get('partition_hash');
  return count === undefined || hash === undefined ? undefined : { count: Number(count), hash };
}

/**
 * Records the partition count and the hash at the first start; every further start must agree with them, else two
 * processes would send a chat to two partitions, past its own order.
 * @throws SchemaError when they differ
 */
export async function assertPartitioning(database: Database, partitionCount: number): Promise<void> {
  await database.query(recordSql, [String(partitionCount), partitionHashName]);
  const recorded = await readPartitioning(database);
  if (recorded?.count !== partitionCount) {
    throw new SchemaError(
      `The database was set up for ${recorded?.count} partitions, RABBITMQ_CHAT_PARTITION_COUNT says ` +
        `${partitionCount}: set it back, or change it for all with \`bun run repartition ${partitionCount}\`.`,
    );
  }
  if (recorded.hash !== partitionHashName) {
    throw new SchemaError(
      `The database was set up for the partition hash ${recorded.hash}, this version uses ${partitionHashName}: ` +
        `drain the queues with the old version, then \`bun run repartition ${partitionCount}\`.`,
    );
  }
}

/** Only with empty queues and no process running: see `commands/repartition.ts`. */
export async function replacePartitioning(database: Database, partitionCount: number): Promise<void> {
  await database.query(replaceSql, [String(partitionCount), partitionHashName]);
}

const keepKeySql = `INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`;
const readKeySql = `SELECT value FROM settings WHERE key = $1`;

/**
 * The key that notifications are signed with. Kept where the truth is: who can write there needs to forge nothing.
 */
export const notificationKey = (database: Pick<Database, 'query'>): Promise<string> =>
  keptKey(database, 'notification_key');

/** The key that envelopes are signed with. Another one: a notification is no envelope, whatever it says. */
export const envelopeKey = (database: Pick<Database, 'query'>): Promise<string> =>
  keptKey(database, 'envelope_key');

/**
 * The key of refresh tokens, and of what is kept of addresses. Not made of `JWT_SECRET`: who is signed in stays so when that
 * is another. It makes no token of a session without one of that session's own.
 */
export const accountKey = (database: Pick<Database, 'query'>): Promise<string> =>
  keptKey(database, 'account_key');

async function keptKey(database: Pick<Database, 'query'>, name: string): Promise<string> {
  await database.query(keepKeySql, [name, randomBytes(32).toString('base64url')]);
  const [row] = await database.query<{ value: string }>(readKeySql, [name]);
  if (!row) throw new SchemaError(`The settings lost their ${name} while starting: start again.`);
  return row.value;
}
