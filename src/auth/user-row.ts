import { iso } from '../db/database.ts';
import { shownName } from '../db/queries/shown-name.ts';
import type { User, UserMetadata } from '../shared/contract.ts';

export interface UserRow {
  id: string;
  externalId: string | null;
  displayName: string;
  createdAt: string;
  avatarUrl: string | null;
  metadata: UserMetadata | null;
  email: string | null;
  readReceipts: boolean;
  showPresence: boolean;
}

/** Columns of `users` under the names of a `UserRow`. */
export const userColumns = `users.id, users.external_id AS "externalId", ${shownName('users')} AS "displayName",
  ${iso('users.created_at')} AS "createdAt", users.avatar_url AS "avatarUrl", users.metadata, users.email,
  users.read_receipts AS "readReceipts", users.show_presence AS "showPresence"`;

/**
 * @param viewerId email, external id and settings are shown to oneself alone; the operator's own backend, which knows both, is shown what
 * the user is
 */
export function toUser(row: UserRow, viewerId: string): User {
  const { id, externalId, displayName, createdAt, avatarUrl, metadata, email, readReceipts, showPresence } =
    row;
  const own = id === viewerId;
  return {
    id,
    ...(externalId !== null && own ? { externalId } : {}),
    displayName,
    createdAt,
    ...(avatarUrl === null ? {} : { avatarUrl }),
    ...(metadata === null ? {} : { metadata }),
    ...(email !== null && own ? { email } : {}),
    ...(own && !readReceipts ? { readReceipts } : {}),
    ...(own && !showPresence ? { showPresence } : {}),
  };
}
