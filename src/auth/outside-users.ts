import type { Database } from '../db/database.ts';
import { neutralName } from '../db/queries/shown-name.ts';
import { newId } from '../shared/ids.ts';

export interface OutsideUsers {
  /**
   * The id of the provider's subject; its row is made where there is none, also when several ask at once.
   * @param displayName as the provider says it; without one the user gets a name that says nothing
   * @throws ChatError `database_unavailable`
   */
  ensure(externalId: string, displayName: string | undefined): Promise<string>;
}

const findSql = `SELECT id FROM users WHERE issuer = $1 AND external_id = $2`;
const insertSql = `INSERT INTO users (id, issuer, external_id, display_name, display_name_given)
VALUES ($1::uuid, $2, $3, coalesce($4::text, $5), $4::text IS NOT NULL)
ON CONFLICT (issuer, external_id) DO NOTHING RETURNING id`;

/** @param maxKnown ids kept in this process: a subject's id never changes */
export function createOutsideUsers(database: Database, issuer: string, maxKnown = 10_000): OutsideUsers {
  const known = new Map<string, string>();

  async function findOrInsert(externalId: string, displayName: string | undefined): Promise<string> {
    const newUserId = newId();
    const find = () => database.query<{ id: string }>(findSql, [issuer, externalId]);
    const parameters = [newUserId, issuer, externalId, displayName ?? null, neutralName(newUserId)];
    const insert = () => database.query<{ id: string }>(insertSql, parameters);
    // The second look is for whom another request has made in between.
    const row = (await find())[0] ?? (await insert())[0] ?? (await find())[0];
    if (!row) throw new Error('a user of an outside provider was deleted while it was being made');
    return row.id;
  }

  return {
    async ensure(externalId, displayName) {
      const knownId = known.get(externalId);
      if (knownId !== undefined) return knownId;
      const id = await findOrInsert(externalId, displayName);
      const [oldest] = known.keys();
      if (known.size >= maxKnown && oldest !== undefined) known.delete(oldest);
      known.set(externalId, id);
      return id;
    },
  };
}
