import type { Logger } from '../shared/log.ts';
import { StartError } from '../shared/start-error.ts';
import type { Database } from './database.ts';

/** The first with `CREATE OR REPLACE TRIGGER`, which `drizzle/0004_memberships.sql` uses. */
const oldestVersion = 14;

/** As PostgreSQL names them; what this connection is given, whoever set it. */
const settings = [
  'server_version',
  'server_version_num',
  'server_encoding',
  'client_encoding',
  'transaction_read_only',
  'default_transaction_isolation',
  'session_replication_role',
  'fsync',
  'full_page_writes',
  'synchronous_commit',
  'autovacuum',
] as const;

type Facts = Record<(typeof settings)[number] | 'database' | 'role', string> & { standby: boolean };

const factsSql = `SELECT quote_ident(current_database()) AS database, quote_ident(current_user) AS role,
  pg_is_in_recovery() AS standby, ${settings.map((name) => `current_setting('${name}') AS ${name}`).join(', ')}`;

/**
 * What Confab needs of a PostgreSQL server and would miss without a word: everything would begin, and break later.
 * @throws StartError with all of it, and what mends each
 */
export async function assertServer(
  database: Pick<Database, 'query'>,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  const [facts] = await database.query<Facts>(factsSql, []);
  if (!facts) throw new StartError('PostgreSQL says nothing of itself.');
  const problems = refusals(facts);
  if (problems.length > 0) {
    throw new StartError(
      `PostgreSQL is not as Confab needs it:\n${problems.map((each) => `  ${each}`).join('\n')}`,
    );
  }
  for (const risk of risks(facts)) log.warn(`PostgreSQL: ${risk}`);
}

function refusals(facts: Facts): string[] {
  const { database, role } = facts;
  const problems: string[] = [];
  if (Number(facts.server_version_num) < oldestVersion * 10_000) {
    problems.push(`It is version ${facts.server_version}: ${oldestVersion} is the oldest that will do.`);
  }
  if (facts.server_encoding !== 'UTF8') {
    problems.push(
      `The encoding of the database ${database} is ${facts.server_encoding}, which does not hold every character: ` +
        `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.`,
    );
  }
  if (facts.client_encoding !== 'UTF8') {
    problems.push(`client_encoding is ${facts.client_encoding} and must be UTF8.`);
  }
  if (facts.standby)
    problems.push('It is a standby, which takes no writes: DATABASE_URL must lead to the primary.');
  else if (facts.transaction_read_only !== 'off') {
    problems.push(
      `default_transaction_read_only is on: ALTER ROLE ${role} RESET it, or ALTER DATABASE ${database} RESET it.`,
    );
  }
  if (facts.default_transaction_isolation !== 'read committed') {
    problems.push(
      `default_transaction_isolation is ${facts.default_transaction_isolation} and must be read committed: a statement ` +
        'that has waited for a lock has to see what was committed meanwhile.',
    );
  }
  if (facts.session_replication_role !== 'origin') {
    problems.push(
      `session_replication_role is ${facts.session_replication_role} and must be origin: triggers would not fire.`,
    );
  }
  return problems;
}

/** It works like this, until the power goes, or for some weeks. */
function risks(facts: Facts): string[] {
  const lost: string[] = [];
  for (const name of ['fsync', 'full_page_writes', 'synchronous_commit'] as const)
    if (facts[name] === 'off')
      lost.push(`${name} is off: what was accepted and stored may be lost with the power.`);
  if (facts.autovacuum === 'off') {
    lost.push('autovacuum is off: chats, whose rows change with every message, grow without an end.');
  }
  return lost;
}
