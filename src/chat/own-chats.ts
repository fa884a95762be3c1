import type { Database } from '../db/database.ts';
import type { StoredChat } from '../db/queries/chats.ts';
import type { Chat } from '../shared/contract.ts';
import type { Presence } from '../shared/ports/presence.ts';
import { chatsWithOnline } from './online.ts';
import { settleMemberships } from './settle-memberships.ts';

/** Chats as they are shown to this one of their participants. */
export async function ownChats(
  { database, presence }: { database: Database; presence: Presence },
  userId: string,
  stored: readonly StoredChat[],
): Promise<Chat[]> {
  const [memberships, chats] = await Promise.all([
    settleMemberships(
      database,
      stored.map(({ membership, unsettled }) => ({ userId, membership, unsettled })),
    ),
    chatsWithOnline(presence, stored),
  ]);
  return chats.map(({ unsettled, ...chat }, at) => ({
    ...chat,
    membership: memberships[at] ?? chat.membership,
  }));
}
