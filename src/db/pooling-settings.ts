import type { Logger } from '../shared/log.ts';
import { sessionSettings } from './connector.ts';
import type { Database } from './database.ts';

const settingsSql = `SELECT name, setting, quote_ident(current_user) AS role, quote_ident(current_database()) AS database
FROM pg_settings WHERE name = ANY($1::text[])`;

/** The settings of a session that is shared are those of its role: says which are not as they should be, and what sets them. */
export async function warnOfSettings(database: Database, log: Pick<Logger, 'warn'>): Promise<void> {
  const rows = await database.query<{ name: string; setting: string; role: string; database: string }>(
    settingsSql,
    [Object.keys(sessionSettings)],
  );
  const missing = rows
    .filter(({ name, setting }) => sessionSettings[name] !== setting)
    .map(
      ({ name, role, database }) =>
        `ALTER ROLE ${role} IN DATABASE ${database} SET ${name} = '${sessionSettings[name]}'`,
    );
  if (missing.length === 0) return;
  log.warn(
    { sql: missing.join('; ') },
    'a pooler in transaction mode stands before PostgreSQL: settings that keep statements short and plans stable ' +
      'cannot be given to a session, only to the role',
  );
}
