import type { Database } from '../db/database.ts';
import { networkOf } from '../shared/client-address.ts';
import type { User } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import { maxDisplayNameLength } from '../shared/names.ts';
import type { RateLimits } from '../shared/ports/admission.ts';
import type { Passwords } from './passwords.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export interface RegisterInput {
  /** In lower case. */
  email: string;
  password: string;
  /** The email's local part where it is not given. */
  displayName?: string | undefined;
  /** The client's, as `limitedAddress` gives it. */
  address: string;
}

export type Register = (input: RegisterInput) => Promise<User>;

const takenSql = `SELECT 1 FROM users WHERE email = $1`;
const insertSql = `INSERT INTO users (id, email, password_hash, display_name) VALUES ($1::uuid, $2, $3, $4)
ON CONFLICT (email) DO NOTHING RETURNING ${userColumns}`;

/** Points of `RATE_LIMIT_LOGIN` that a registration takes which says only that an email is taken. */
const takenPoints = 10;

export function createRegister({
  database,
  passwords,
  rateLimits,
}: {
  database: Database;
  passwords: Passwords;
  rateLimits: RateLimits;
}): Register {
  /** Whoever asks for many emails learns which of them are here: the next registrations of the network are refused. */
  async function taken(network: string): Promise<ChatError> {
    await rateLimits.count({ limit: 'login', key: `register:${network}`, points: takenPoints - 1 });
    return new ChatError('email_taken');
  }

  /** @throws ChatError `email_taken`, `rate_limited`, `server_busy`, `database_unavailable` */
  return async ({ email, password, displayName = localPart(email), address }) => {
    const network = networkOf(address);
    await rateLimits.consume([
      { limit: 'address', key: address },
      { limit: 'login', key: `register:${network}` },
    ]);
    // Saves the hash. The answer is the unique index's: two may come this far at once.
    if ((await database.query(takenSql, [email])).length > 0) throw await taken(network);
    const hash = await passwords.hash(password, { member: address, group: network, known: false });
    const [row] = await database.query<UserRow>(insertSql, [newId(), email, hash, displayName]);
    if (!row) throw await taken(network);
    return toUser(row, row.id);
  };
}

const localPart = (email: string): string =>
  email.slice(0, email.lastIndexOf('@')).slice(0, maxDisplayNameLength);
