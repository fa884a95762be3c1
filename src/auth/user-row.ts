import { iso } from '../db/database.ts';
import { shownName } from '../db/queries/shown-name.ts';
import type { User } from '../shared/contract.ts';

export interface UserRow {
  id: string;
  externalId: string | null;
  displayName: string;
  createdAt: string;
  email: string | null;
}

/** Columns of `users` under the names of a `UserRow`. */
export const userColumns = `users.id, users.external_id AS "externalId", ${shownName('users')} AS "displayName",
  ${iso('users.created_at')} AS "createdAt", users.email`;

/**
 * @param viewerId email and external id are shown to oneself alone; the operator's own backend, which knows both, is shown what
 * the user is
 */
export function toUser({ id, externalId, displayName, createdAt, email }: UserRow, viewerId: string): User {
  const own = id === viewerId;
  return {
    id,
    ...(externalId !== null && own ? { externalId } : {}),
    displayName,
    createdAt,
    ...(email !== null && own ? { email } : {}),
  };
}
