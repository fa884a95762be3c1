import type { Database } from '../db/database.ts';
import { sharesChat, viewersChats } from '../db/queries/shares-chat.ts';
import type { User } from '../shared/contract.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export interface FindUsers {
  /** By the whole email, in lower case: one user or none. */
  byEmail(input: { email: string; viewerId: string }): Promise<User[]>;
  /** Those who are or were in a chat with the viewer, and the viewer, each once. */
  byIds(input: { userIds: readonly string[]; viewerId: string }): Promise<User[]>;
}

const byEmailSql = `SELECT ${userColumns} FROM users WHERE email = $1`;

const byIdsSql = `WITH ${viewersChats('$2::uuid', { now: false })}
SELECT ${userColumns}
FROM unnest($1::uuid[]) WITH ORDINALITY AS w (id, ord)
CROSS JOIN LATERAL (SELECT x.* FROM users x WHERE x.id = w.id LIMIT 1) users
WHERE w.id = $2::uuid OR ${sharesChat('w.id', '$2::uuid', { now: false })}
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
