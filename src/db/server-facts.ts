import type { Logger } from '../shared/log.ts';
import { StartError } from '../shared/start-error.ts';
import { type Pooling, sessionSettings } from './connector.ts';
import type { Database } from './database.ts';

const factsSql = `SELECT current_setting('server_encoding') AS encoding, current_user AS role, current_database() AS database`;
const settingsSql = `SELECT name, setting FROM pg_settings WHERE name = ANY($1::text[])`;

/**
 * What Confab needs of a server and cannot make itself.
 * @throws StartError with what mends it
 */
export async function assertServer(database: Database, pooling: Pooling, log: Logger): Promise<void> {
  const [facts] = await database.query<{ encoding: string; role: string; database: string }>(factsSql, []);
  if (!facts) throw new StartError('PostgreSQL says nothing of itself');
  if (facts.encoding !== 'UTF8') {
    throw new StartError(
      `The database ${facts.database} is ${facts.encoding}, which cannot hold every character: ` +
        `make one with ENCODING 'UTF8' TEMPLATE template0.`,
    );
  }
  if (pooling === 'transaction') await sayWhatIsMissing(database, facts, log);
}

/** The settings of a session that is shared are those of its role. */
async function sayWhatIsMissing(
  database: Database,
  facts: { role: string; database: string },
  log: Logger,
): Promise<void> {
  const rows = await database.query<{ name: string; setting: string }>(settingsSql, [
    Object.keys(sessionSettings),
  ]);
  const missing = rows.filter(({ name, setting }) => sessionSettings[name] !== setting);
  if (missing.length === 0) return;
  const alter = `ALTER ROLE ${quoted(facts.role)} IN DATABASE ${quoted(facts.database)} SET`;
  log.warn(
    { sql: missing.map(({ name }) => `${alter} ${name} = '${sessionSettings[name]}'`).join('; ') },
    'a pooler in transaction mode stands before PostgreSQL: settings that keep statements short and plans stable ' +
      'cannot be given to a session, only to the role',
  );
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
