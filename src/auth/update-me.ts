import type { Announce } from '../changes/announce.ts';
import type { Database } from '../db/database.ts';
import type { User, UserEvent } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export type UpdateMe = (input: {
  userId: string;
  readReceipts?: boolean | undefined;
  showPresence?: boolean | undefined;
}) => Promise<User>;

const updateSql = `UPDATE users SET read_receipts = coalesce($2::boolean, read_receipts),
  show_presence = coalesce($3::boolean, show_presence)
WHERE id = $1::uuid
RETURNING ${userColumns}`;

/**
 * What one says of oneself. One's own sockets are told, and gateways by that what to show them.
 * @throws ChatError `user_not_found`
 */
export function createUpdateMe({ database, announce }: { database: Database; announce: Announce }): UpdateMe {
  return async ({ userId, readReceipts, showPresence }) => {
    const settings = [readReceipts ?? null, showPresence ?? null];
    const [row] = await database.query<UserRow>(updateSql, [userId, ...settings]);
    if (!row) throw new ChatError('user_not_found');
    const user = toUser(row, userId);
    const body = JSON.stringify({ user } satisfies UserEvent);
    const head = { version: 1, kind: 'passing', event: 'user.updated' } as const;
    await announce([{ topic: `user:${userId}`, head, body }]);
    return user;
  };
}
