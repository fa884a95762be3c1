import { setTimeout as sleep } from 'node:timers/promises';
import { fullJitterMs } from '../shared/backoff.ts';
import { parseConnectionString } from '../shared/config/connection-string.ts';
import { ChatError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { StartError } from '../shared/start-error.ts';
import { assertServer } from './assert-server.ts';
import { createConnector, type Pooling } from './connector.ts';
import { databaseErrorCode, isDatabaseUnavailable, isInstallationError, reasonOf } from './errors.ts';
import { assertMigrated, migrate } from './migrate.ts';
import { findPooling } from './pooling.ts';
import { warnOfSettings } from './pooling-settings.ts';
import { openPostgres, type PostgresDatabase, type PostgresOptions } from './postgres.ts';

export interface ReadyPostgresOptions
  extends Pick<PostgresOptions, 'url' | 'password' | 'tls' | 'applicationName' | 'maxConnections'> {
  /** Brings the schema up to date; otherwise one that is behind is an error. */
  migrates: boolean;
  /** Told of each migration that the schema was missing, once it is applied. */
  onMigrated?: (name: string) => void;
  /** Refuses a pooler that gives sessions to others: who is connected cannot be seen then. */
  needsOwnSession?: boolean;
  waitMs: number;
  log: Logger;
}

export interface ReadyPostgres extends PostgresDatabase {
  /** The same database over connections of its own, for what may not wait behind anything else; closed by who asks for it. */
  beside(maxConnections: number): PostgresDatabase;
}

/**
 * PostgreSQL that answers, on the schema that this program needs.
 * @throws StartError when there is no answer within `waitMs`, at once when waiting can't help or the server is not as needed
 * @throws SchemaError when the schema is not the one that this program needs
 */
export async function openReadyPostgres(options: ReadyPostgresOptions): Promise<ReadyPostgres> {
  const { log, onMigrated = () => {} } = options;
  const onApplied = (migration: string) => {
    log.info({ migration }, 'the schema was brought up to date');
    onMigrated(migration);
  };
  const pooling = await untilAnswer(options);
  if (options.needsOwnSession && pooling === 'transaction') {
    throw new StartError(
      'A pooler in transaction mode stands before PostgreSQL: give this command PostgreSQL itself as DATABASE_URL.',
    );
  }
  const database = openPostgres({ ...options, pooling });
  try {
    await assertServer(database, log);
    if (pooling === 'transaction') await warnOfSettings(database, log);
    if (options.migrates) await migrate(database, { log, onApplied });
    else await assertMigrated(database);
    return {
      ...database,
      beside: (maxConnections) => openPostgres({ ...options, pooling, maxConnections }),
    };
  } catch (error) {
    await database.close();
    if (error instanceof ChatError) {
      throw new StartError(`PostgreSQL went away in the middle of the start: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    throw error;
  }
}

async function untilAnswer({
  url,
  password,
  tls,
  applicationName,
  waitMs,
  log,
}: ReadyPostgresOptions): Promise<Pooling> {
  const target = parseConnectionString(url, { password, tls });
  // Without settings, which are not to be given to a session that is another's.
  const { address, open } = createConnector({ target, applicationName, pooling: 'transaction' });
  const end = Date.now() + waitMs;
  let said: string | undefined;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await findPooling(open);
    } catch (error) {
      const reason = reasonOf(error);
      if (isInstallationError(error) || !isDatabaseUnavailable(error)) {
        throw new StartError(`PostgreSQL at ${address} refuses: ${reason}`, { cause: error });
      }
      if (Date.now() >= end) {
        // Whoever has a SQLSTATE was there.
        const what = /^[0-9A-Z]{5}$/.test(databaseErrorCode(error) ?? '') ? 'ready' : 'there';
        throw new StartError(
          `PostgreSQL at ${address} was not ${what} within ${waitMs / 1000} s: ${reason}`,
          {
            cause: error,
          },
        );
      }
      if (reason !== said)
        log.info({ reason }, `waiting for PostgreSQL at ${address}, ${waitMs / 1000} s at most`);
      said = reason;
      await sleep(Math.min(100 + fullJitterMs(attempt, 100), Math.max(0, end - Date.now())));
    }
  }
}
