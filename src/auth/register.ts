import type { Database } from '../db/database.ts';
import type { User } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import { maxDisplayNameLength } from './names.ts';
import type { Passwords } from './passwords.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export interface RegisterInput {
  /** In lower case. */
  email: string;
  password: string;
  /** The email's local part where it is not given. */
  displayName?: string | undefined;
}

export type Register = (input: RegisterInput) => Promise<User>;

const takenSql = `SELECT 1 FROM users WHERE email = $1`;
const insertSql = `INSERT INTO users (id, email, password_hash, display_name) VALUES ($1::uuid, $2, $3, $4)
ON CONFLICT (email) DO NOTHING RETURNING ${userColumns}`;

export function createRegister({
  database,
  passwords,
}: {
  database: Database;
  passwords: Passwords;
}): Register {
  const taken = () => new ChatError('email_taken');

  /** @throws ChatError `email_taken`, `server_busy`, `database_unavailable` */
  return async ({ email, password, displayName = localPart(email) }) => {
    // Saves the hash. The answer is the unique index's: two may come this far at once.
    if ((await database.query(takenSql, [email])).length > 0) throw taken();
    const hash = await passwords.hash(password);
    const [row] = await database.query<UserRow>(insertSql, [newId(), email, hash, displayName]);
    if (!row) throw taken();
    return toUser(row, row.id);
  };
}

const localPart = (email: string): string =>
  email.slice(0, email.lastIndexOf('@')).slice(0, maxDisplayNameLength);
