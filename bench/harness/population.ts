import type postgres from 'postgres';
import { createOwnTokens } from '../../src/auth/tokens.ts';
import type { Bench } from './bench.ts';
import type { BenchDatabase, Environment } from './servers.ts';

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

/** Chats `firstChat` to `firstChat + chats - 1`, of `size` members each: user after user, from 1 on, and from 1 again. */
export interface Rooms {
  firstChat: number;
  chats: number;
  size: number;
}

export interface Population {
  /** Users 1 to this one, each with a session. */
  users: number;
  rooms: readonly Rooms[];
}

/** A database of the path's own, with these people in it, and the environment of processes on it. */
export async function populate(
  { servers, defer }: Pick<Bench, 'servers' | 'defer'>,
  { users, rooms }: Population,
): Promise<{ database: BenchDatabase; environment: Environment }> {
  const database = await servers.createDatabase();
  defer(() => database.drop());
  await seedUsers(database.sql, users);
  for (const each of rooms) await seedRooms(database.sql, users, each);
  await settleDatabase(database.sql);
  return { database, environment: servers.environment(database) };
}

async function seedUsers(sql: postgres.Sql, count: number): Promise<void> {
  const numbers = `generate_series(1, ${count}) AS n`;
  await sql.unsafe(
    `INSERT INTO users (id, email, password_hash, display_name)
     SELECT ${sqlIdOf('user', 'n')}, 'user' || n || '@example.com', '-', 'User ' || n FROM ${numbers}`,
  );
  await sql.unsafe(
    `INSERT INTO sessions (id, user_id, expires_at)
     SELECT ${sqlIdOf('session', 'n')}, ${sqlIdOf('user', 'n')}, now() + interval '30 days' FROM ${numbers}`,
  );
}

async function seedRooms(sql: postgres.Sql, users: number, { firstChat, chats, size }: Rooms): Promise<void> {
  const numbers = `generate_series(${firstChat}, ${firstChat + chats - 1}) AS n`;
  // The rows fit each other: a million chats need not be looked up for it.
  await sql.unsafe('SET session_replication_role = replica');
  await sql.unsafe(
    `INSERT INTO chats (id, is_group, name, last_event_sequence, participant_count)
     SELECT ${sqlIdOf('chat', 'n')}, true, 'Chat ' || n, ${size}, ${size} FROM ${numbers}`,
  );
  const member = `1 + ((n - ${firstChat})::bigint * ${size} + m) % ${users}`;
  await sql.unsafe(
    `INSERT INTO chat_participants
       (chat_id, user_id, role, created_event_sequence, changed_event_sequence, last_read_sequence)
     SELECT ${sqlIdOf('chat', 'n')}, ${sqlIdOf('user', member)},
       CASE WHEN m = 0 THEN 'owner' ELSE 'member' END, m + 1, m + 1, 0
     FROM ${numbers}, generate_series(0, ${size - 1}) AS m`,
  );
}

/** For each user, from 1 on, the chats they are in, where no room has more members than there are users. */
export const membershipsOf = ({ users, rooms }: Population): number[][] =>
  Array.from({ length: users }, (_, at) =>
    rooms.flatMap(({ firstChat, chats, size }) =>
      at < chats * size ? [firstChat + Math.floor(at / size)] : [],
    ),
  );

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
