import type { Database } from '../db/database.ts';
import type { User } from '../shared/contract.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export interface FindUsers {
  /** By the whole email, in lower case: one user or none. */
  byEmail(input: { email: string; viewerId: string }): Promise<User[]>;
  /** Those who are or were in a chat with the viewer, and the viewer, each once. */
  byIds(input: { userIds: readonly string[]; viewerId: string }): Promise<User[]>;
}

const byEmailSql = `SELECT ${userColumns} FROM users WHERE email = $1`;

/**
 * Ranges of a single id, in an order that leaves one index alone, and a comparison that cannot become a join: the viewer's chats are
 * read once, however many are asked for, and of each of those as many as there are until one is among them.
 */
const byIdsSql = `WITH mine AS MATERIALIZED (
  SELECT x.chat_id FROM chat_participants x WHERE x.user_id BETWEEN $2::uuid AND $2::uuid ORDER BY x.user_id, x.chat_id
)
SELECT ${userColumns}
FROM unnest($1::uuid[]) WITH ORDINALITY AS w (id, ord)
CROSS JOIN LATERAL (SELECT x.* FROM users x WHERE x.id = w.id LIMIT 1) users
WHERE w.id = $2::uuid OR (
  SELECT true FROM chat_participants them
  WHERE them.user_id BETWEEN w.id AND w.id AND (them.chat_id IN (SELECT mine.chat_id FROM mine)) IS TRUE
  ORDER BY them.user_id, them.chat_id LIMIT 1
)
ORDER BY w.ord`;

export function createFindUsers(database: Database): FindUsers {
  return {
    async byEmail({ email, viewerId }) {
      const rows = await database.query<UserRow>(byEmailSql, [email]);
      return rows.map((row) => toUser(row, viewerId));
    },
    async byIds({ userIds, viewerId }) {
      const rows = await database.query<UserRow>(byIdsSql, [[...new Set(userIds)], viewerId]);
      return rows.map((row) => toUser(row, viewerId));
    },
  };
}
