import { setTimeout as sleep } from 'node:timers/promises';
import { fullJitterMs } from '../shared/backoff.ts';
import type { Logger } from '../shared/log.ts';
import { StartError } from '../shared/start-error.ts';
import { assertServer } from './assert-server.ts';
import type { Database } from './database.ts';
import { innermostReason, isDatabaseUnavailable } from './errors.ts';
import { assertMigrated, migrate } from './migrate.ts';
import { openPostgres } from './postgres.ts';

export interface ReadyPostgresOptions {
  url: string;
  applicationName: string;
  /** Brings the schema up to date; otherwise one that is behind is an error. */
  migrates: boolean;
  waitMs: number;
  log: Logger;
}

/**
 * PostgreSQL that answers, on the schema that this program needs.
 * @throws StartError when there is no answer within `waitMs`, at once when waiting can't help or the server is not as needed
 * @throws SchemaError when the schema is not the one that this program needs
 */
export async function openReadyPostgres(options: ReadyPostgresOptions): Promise<Database> {
  const { url, applicationName, migrates, log } = options;
  const database = openPostgres({ url, applicationName });
  try {
    await untilAnswer(database, options);
    await assertServer(database, log);
    if (!migrates) await assertMigrated(database);
    else {
      for (const name of await migrate(database, { log }))
        log.info({ migration: name }, 'the schema was brought up to date');
    }
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function untilAnswer(database: Database, { url, waitMs, log }: ReadyPostgresOptions): Promise<void> {
  const { hostname, port } = new URL(url);
  const address = `${hostname}:${port || 5432}`;
  const end = Date.now() + waitMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      await database.query('SELECT 1', []);
      return;
    } catch (error) {
      const reason = innermostReason(error);
      if (!isDatabaseUnavailable(error)) {
        throw new StartError(`PostgreSQL at ${address} refuses: ${reason}`, { cause: error });
      }
      if (Date.now() >= end) {
        throw new StartError(`PostgreSQL at ${address} was not there within ${waitMs / 1000} s: ${reason}`, {
          cause: error,
        });
      }
      if (attempt === 0) log.info(`waiting for PostgreSQL at ${address}, ${waitMs / 1000} s at most`);
      await sleep(Math.min(100 + fullJitterMs(attempt, 100), Math.max(0, end - Date.now())));
    }
  }
}
