import type postgres from 'postgres';
import { createOwnTokens } from '../../src/auth/tokens.ts';
import type { Environment } from './servers.ts';

// Ids made from numbers, so that SQL, the load and the receivers agree on them without telling each other.
const idPrefix = {
  user: '00000000-0000-7000-8000-',
  chat: '00000000-0000-7001-8000-',
  session: '00000000-0000-7002-8000-',
};
const idOf = (kind: keyof typeof idPrefix, number: number) =>
  `${idPrefix[kind]}${number.toString(16).padStart(12, '0')}`;
const sqlIdOf = (kind: keyof typeof idPrefix, number: string) =>
  `('${idPrefix[kind]}' || lpad(to_hex(${number}), 12, '0'))::uuid`;

export const userId = (number: number): string => idOf('user', number);
export const chatId = (number: number): string => idOf('chat', number);
const sessionId = (number: number): string => idOf('session', number);

/** Users `from` to `from + count - 1`, each with a session. */
export async function seedUsers(sql: postgres.Sql, from: number, count: number): Promise<void> {
  const numbers = `generate_series(${from}, ${from + count - 1}) AS n`;
  await sql.unsafe(
    `INSERT INTO users (id, email, password_hash, display_name)
     SELECT ${sqlIdOf('user', 'n')}, 'user' || n || '@example.com', '-', 'User ' || n FROM ${numbers}`,
  );
  await sql.unsafe(
    `INSERT INTO sessions (id, user_id, expires_at)
     SELECT ${sqlIdOf('session', 'n')}, ${sqlIdOf('user', 'n')}, now() + interval '30 days' FROM ${numbers}`,
  );
}

/**
 * Chats `from` to `from + count - 1`. The members of chat `from + i` are the users `firstUser + i * size` and the
 * `size - 1` after it, modulo `users` where that is given.
 */
export async function seedChats(
  sql: postgres.Sql,
  {
    from,
    count,
    size,
    firstUser,
    users,
  }: { from: number; count: number; size: number; firstUser: number; users?: number },
): Promise<void> {
  // The rows fit each other: a million chats need not be looked up for it.
  await sql.unsafe('SET session_replication_role = replica');
  await sql.unsafe(
    `INSERT INTO chats (id, is_group, name, last_event_sequence)
     SELECT ${sqlIdOf('chat', 'n')}, true, 'Chat ' || n, ${size} FROM generate_series(${from}, ${from + count - 1}) AS n`,
  );
  const member = `(n - ${from})::bigint * ${size} + m`;
  await sql.unsafe(
    `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
     SELECT ${sqlIdOf('chat', 'n')}, ${sqlIdOf('user', `${firstUser} + (${member})${users ? ` % ${users}` : ''}`)},
       CASE WHEN m = 0 THEN 'owner' ELSE 'member' END, m + 1, m + 1
     FROM generate_series(${from}, ${from + count - 1}) AS n, generate_series(0, ${size - 1}) AS m`,
  );
}

/** What autovacuum would do soon after such a load, done before the measuring instead of during it. */
export async function settleDatabase(sql: postgres.Sql): Promise<void> {
  await sql.unsafe('VACUUM (ANALYZE)');
  await sql.unsafe('CHECKPOINT');
}

/** Access tokens of the users' sessions. */
export async function signTokens(environment: Environment, from: number, count: number): Promise<string[]> {
  const tokens = await createOwnTokens({
    secret: environment.JWT_SECRET,
    issuer: 'confab',
    audience: 'confab',
    accessTtlSeconds: 6 * 3600,
  });
  return Promise.all(
    Array.from({ length: count }, (_, at) =>
      tokens.sign({ userId: userId(from + at), sessionId: sessionId(from + at) }),
    ),
  );
}
