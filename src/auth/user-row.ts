import { iso } from '../db/database.ts';
import type { User } from '../shared/contract.ts';

export interface UserRow {
  id: string;
  externalId: string | null;
  displayName: string;
  createdAt: string;
  email: string | null;
}

/** Columns of `users` under the names of a `UserRow`. */
export const userColumns = `users.id, users.external_id AS "externalId", users.display_name AS "displayName",
  ${iso('users.created_at')} AS "createdAt", users.email`;

/** @param viewerId the email is shown to oneself alone */
export function toUser({ id, externalId, displayName, createdAt, email }: UserRow, viewerId: string): User {
  return {
    id,
    ...(externalId === null ? {} : { externalId }),
    displayName,
    createdAt,
    ...(email !== null && id === viewerId ? { email } : {}),
  };
}
