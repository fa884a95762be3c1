import type { Database } from '../db/database.ts';
import { isUniqueViolation } from '../db/errors.ts';
import { neutralName } from '../db/queries/shown-name.ts';
import type { User } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export interface PutOutsideUserInput {
  externalId: string;
  displayName?: string | undefined;
  email?: string | undefined;
}

export type PutOutsideUser = (input: PutOutsideUserInput) => Promise<{ user: User; created: boolean }>;

// What is not given stays as it is. xmax is 0 in a row that this statement has inserted.
const putSql = `INSERT INTO users (id, issuer, external_id, display_name, display_name_given, email)
VALUES ($1::uuid, $2, $3, coalesce($4::text, $6), $4::text IS NOT NULL, $5::text)
ON CONFLICT (issuer, external_id) DO UPDATE
SET display_name = coalesce($4::text, users.display_name), email = coalesce($5::text, users.email),
  display_name_given = users.display_name_given OR excluded.display_name_given
RETURNING ${userColumns}, xmax = 0 AS created`;

/** Makes a user of the outside provider ahead of its first token, or brings name and email up to date. */
export function createPutOutsideUser(database: Database, issuer: string): PutOutsideUser {
  /** @throws ChatError `email_taken` */
  return async ({ externalId, displayName, email }) => {
    const id = newId();
    const parameters = [id, issuer, externalId, displayName ?? null, email ?? null, neutralName(id)];
    try {
      const [row] = await database.query<UserRow & { created: boolean }>(putSql, parameters);
      if (!row) throw new Error('the upsert of a user returned no row');
      return { user: toUser(row, row.id), created: row.created };
    } catch (error) {
      if (isUniqueViolation(error)) throw new ChatError('email_taken');
      throw error;
    }
  };
}
