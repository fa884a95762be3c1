import { sql } from 'drizzle-orm';
import type { Database, Orm } from '../db/database.ts';
import { isUniqueViolation } from '../db/errors.ts';
import { neutralName } from '../db/queries/shown-name.ts';
import { users } from '../db/schema.ts';
import { inTransaction } from '../db/transaction.ts';
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

/** As JSON: one parameter, whatever their number. */
const rowsOf = (
  users: readonly object[],
) => sql`json_to_recordset(${JSON.stringify(users)}::text::json) AS i (
  id uuid, "externalId" text, "displayName" text, "neutralName" text, email text, "avatarUrl" text, metadata json
)`;

const readSql = `SELECT ${userColumns} FROM unnest($1::uuid[]) WITH ORDINALITY AS i (id, ord)
JOIN users ON users.id = ANY (ARRAY[i.id]) ORDER BY i.ord`;

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

  /** Those who are not there yet. In one order for all, and before anybody is locked whom others may wait for. */
  const insert = (tx: Orm, users: readonly object[]) =>
    tx.execute(sql`INSERT INTO users
      (id, issuer, external_id, display_name, display_name_given, email, avatar_url, metadata)
    SELECT i.id, ${issuer}, i."externalId", coalesce(i."displayName", i."neutralName"), i."displayName" IS NOT NULL, i.email,
      i."avatarUrl", i.metadata
    FROM ${rowsOf(users)} ORDER BY i."externalId" COLLATE "C"
    ON CONFLICT DO NOTHING`);

  /** In the order of their ids, as by all that lock several users. Whom one waited for has been committed since, and is seen. */
  const lock = (tx: Orm, externalIds: readonly string[]) =>
    tx
      .select({ id: users.id, externalId: users.externalId })
      .from(users)
      .where(
        sql`${users.id} = ANY (ARRAY(
          SELECT (SELECT x.id FROM users x WHERE x.issuer = ${issuer} AND x.external_id = i.value)
          FROM json_array_elements_text(${JSON.stringify(externalIds)}::text::json) i
        ))`,
      )
      .orderBy(users.id)
      .for('no key update');

  /** What is not given stays as it is. */
  const update = (tx: Orm, users: readonly object[]) =>
    tx.execute(sql`UPDATE users SET display_name = coalesce(i."displayName", users.display_name),
      display_name_given = users.display_name_given OR i."displayName" IS NOT NULL,
      email = coalesce(i.email, users.email), avatar_url = coalesce(i."avatarUrl", users.avatar_url),
      metadata = coalesce(i.metadata, users.metadata)
    FROM ${rowsOf(users)} WHERE users.id = ANY (ARRAY[i.id])`);

  /** @throws ChatError `email_taken` */
  return async (given) => {
    const added = given.map((user) => {
      const id = newId();
      return { ...user, id, neutralName: neutralName(id) };
    });
    const put = inTransaction(database, async (tx) => {
      await insert(tx, added);
      const locked = await lock(
        tx,
        given.map(({ externalId }) => externalId),
      );
      // Who is not there was not made, for want of the email.
      if (locked.length < given.length) throw new ChatError('email_taken');
      const idOf = new Map(locked.map(({ id, externalId }) => [externalId, id]));
      const all = added.map((user) => ({ ...user, id: idOf.get(user.externalId) ?? user.id }));
      const there = all.filter(({ id }, at) => id !== added[at]?.id);
      if (there.length > 0) await update(tx, there);
      return all.map(({ id }) => id);
    });
    const ids = await put.catch(async (error) => {
      const isTaken = error instanceof ChatError && error.code === 'email_taken';
      throw isTaken || isUniqueViolation(error) ? await taken(given) : error;
    });
    const rows = await database.query<UserRow>(readSql, [ids]);
    return rows.map((row, at) => ({ user: toUser(row, row.id), created: row.id === added[at]?.id }));
  };
}
