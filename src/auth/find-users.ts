import type { Database } from '../db/database.ts';
import type { User } from '../shared/contract.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export type FindUsers = (input: { email: string; viewerId: string }) => Promise<User[]>;

const byEmailSql = `SELECT ${userColumns} FROM users WHERE email = $1`;

/** By the whole email, in lower case: one user or none. */
export function createFindUsers(database: Database): FindUsers {
  return async ({ email, viewerId }) => {
    const rows = await database.query<UserRow>(byEmailSql, [email]);
    return rows.map((row) => toUser(row, viewerId));
  };
}
