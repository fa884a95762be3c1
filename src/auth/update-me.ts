import { type Announce, passing } from '../changes/announce.ts';
import type { Database } from '../db/database.ts';
import { readLiveChats } from '../db/queries/live-chats.ts';
import type { User, UserEvent, UserUpdate } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { RateLimits } from '../shared/ports/admission.ts';
import type { Notification, Topic } from '../shared/ports/notifications.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export type UpdateMe = (input: UpdateMeInput) => Promise<User>;

export interface UpdateMeInput extends UserUpdate {
  userId: string;
  limits: RateLimits;
}

/** What is null is taken away, what is not named stays. */
const updateSql = `UPDATE users SET
  display_name = coalesce(w.changes ->> 'displayName', users.display_name),
  display_name_given = users.display_name_given OR w.changes -> 'displayName' IS NOT NULL,
  avatar_url = CASE WHEN w.changes -> 'avatarUrl' IS NULL THEN users.avatar_url ELSE w.changes ->> 'avatarUrl' END,
  metadata = CASE WHEN w.changes -> 'metadata' IS NULL THEN users.metadata WHEN w.changes ->> 'metadata' IS NULL THEN NULL
    ELSE w.changes -> 'metadata' END,
  read_receipts = coalesce((w.changes ->> 'readReceipts')::boolean, users.read_receipts),
  show_presence = coalesce((w.changes ->> 'showPresence')::boolean, users.show_presence)
FROM (SELECT $2::text::json AS changes) w
WHERE users.id = $1::uuid
RETURNING ${userColumns}`;

/**
 * What one says of oneself. One's own sockets are told, and gateways by that what to show them; of what others see, the chats in which
 * not many are told, as often as emails may be looked up: each is a frame to thousands. So is who shows their presence, to direct chats.
 * @param deps.liveMax chats of more participants are not told
 * @throws ChatError `user_not_found`, `rate_limited`
 */
export function createUpdateMe(deps: { database: Database; announce: Announce; liveMax: number }): UpdateMe {
  const { database, announce, liveMax } = deps;

  return async ({ userId, limits, ...changes }) => {
    const { readReceipts: _, showPresence, ...shown } = changes;
    const isSeen = Object.values(shown).some((value) => value !== undefined);
    if (isSeen || showPresence !== undefined) await limits.consume([{ limit: 'lookup', key: userId }]);
    const [row] = await database.query<UserRow>(updateSql, [userId, JSON.stringify(changes)]);
    if (!row) throw new ChatError('user_not_found');
    const user = toUser(row, userId);
    const chatIds = isSeen ? await readLiveChats(database, userId, liveMax) : [];
    await announce([
      updated(`user:${userId}`, user),
      ...chatIds.map((chatId) => updated(`chat:${chatId}`, toUser(row, 'others'), userId)),
    ]);
    return user;
  };
}

const updated = (topic: Topic, user: User, actorId?: string): Notification =>
  passing(topic, 'user.updated', { user } satisfies UserEvent, actorId);
