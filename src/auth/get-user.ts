import type { Database } from '../db/database.ts';
import type { User } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export type GetUser = (input: { userId: string; viewerId: string }) => Promise<User>;

const byIdSql = `SELECT ${userColumns} FROM users WHERE id = $1::uuid`;

export function createGetUser(database: Database): GetUser {
  /** @throws ChatError `user_not_found` */
  return async ({ userId, viewerId }) => {
    const [row] = await database.query<UserRow>(byIdSql, [userId]);
    if (!row) throw new ChatError('user_not_found');
    return toUser(row, viewerId);
  };
}
