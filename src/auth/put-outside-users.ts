import type { Database } from '../db/database.ts';
import { isUniqueViolation } from '../db/errors.ts';
import { neutralName } from '../db/queries/shown-name.ts';
import type { User, UserMetadata } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export interface OutsideUser {
  externalId: string;
  displayName?: string | undefined;
  email?: string | undefined;
  avatarUrl?: string | undefined;
  metadata?: UserMetadata | undefined;
}

/** In the order given, of which each has another `externalId`: all of them, or none. */
export type PutOutsideUsers = (users: readonly OutsideUser[]) => Promise<{ user: User; created: boolean }[]>;

// What is not given stays as it is. Users who are there are locked in the order of their ids, as by all that lock several of them, so
// that none of these waits for another; new ones in one order, too. xmax is 0 in a row that this statement has inserted.
const putSql = `INSERT INTO users (id, issuer, external_id, display_name, display_name_given, email, avatar_url, metadata)
SELECT i.id, $1, i.external_id, coalesce(i.display_name, i.neutral_name), i.display_name IS NOT NULL, i.email, i.avatar_url,
  i.metadata::json
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
  AS i (id, external_id, display_name, neutral_name, email, avatar_url, metadata)
LEFT JOIN users there ON there.issuer = $1 AND there.external_id = i.external_id
ORDER BY there.id NULLS LAST, i.external_id
ON CONFLICT (issuer, external_id) DO UPDATE
SET display_name = CASE WHEN excluded.display_name_given THEN excluded.display_name ELSE users.display_name END,
  display_name_given = users.display_name_given OR excluded.display_name_given,
  email = coalesce(excluded.email, users.email), avatar_url = coalesce(excluded.avatar_url, users.avatar_url),
  metadata = coalesce(excluded.metadata, users.metadata)
RETURNING ${userColumns}, xmax = 0 AS created`;

const takenSql = `SELECT i.external_id AS "externalId"
FROM unnest($2::text[], $3::text[]) AS i (external_id, email)
JOIN users ON users.email = i.email AND (users.issuer, users.external_id) IS DISTINCT FROM ($1, i.external_id)`;

/** Makes users of the outside provider ahead of their first token, or brings what is said of them up to date. */
export function createPutOutsideUsers(database: Database, issuer: string): PutOutsideUsers {
  /** Those of them whose email is another's. */
  async function taken(users: readonly OutsideUser[]): Promise<ChatError> {
    const parameters = [
      issuer,
      users.map(({ externalId }) => externalId),
      users.map(({ email }) => email ?? null),
    ];
    const rows = await database.query<{ externalId: string }>(takenSql, parameters);
    const names = rows.map(({ externalId }) => externalId).join(', ');
    return new ChatError(
      'email_taken',
      names === '' ? undefined : `The email is another user's: of ${names}.`,
    );
  }

  /** @throws ChatError `email_taken` */
  return async (users) => {
    const ids = users.map(() => newId());
    const parameters = [
      ...[issuer, ids, users.map(({ externalId }) => externalId)],
      ...[users.map(({ displayName }) => displayName ?? null), ids.map(neutralName)],
      ...[users.map(({ email }) => email ?? null), users.map(({ avatarUrl }) => avatarUrl ?? null)],
      users.map(({ metadata }) => (metadata === undefined ? null : JSON.stringify(metadata))),
    ];
    try {
      const rows = await database.query<UserRow & { created: boolean }>(putSql, parameters);
      const byExternalId = new Map(rows.map((row) => [row.externalId, row]));
      return users.map(({ externalId }) => {
        const row = byExternalId.get(externalId);
        if (!row) throw new Error('the upsert of a user returned no row');
        return { user: toUser(row, row.id), created: row.created };
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw await taken(users);
      throw error;
    }
  };
}
