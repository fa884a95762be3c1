import { chatsWithOnline } from '../chat/online.ts';
import { settleMemberships } from '../chat/settle-memberships.ts';
import type { Database } from '../db/database.ts';
import { readChats } from '../db/queries/chats.ts';
import type { Chat } from '../shared/contract.ts';
import type { Presence } from '../shared/ports/presence.ts';
import { createBatcher } from './batch.ts';
import { frameOf } from './fan-out.ts';

/** A chat as `chat.created` shows it to this user; undefined for one who takes no part in it. */
export type ChatOf = (input: { chatId: string; userId: string }) => Promise<Chat | undefined>;

/** Of one statement. Chats look alike to all who take part in them: each is read once. */
const mostPairs = 500;

export function createChatOf({ database, presence }: { database: Database; presence: Presence }): ChatOf {
  return createBatcher<{ chatId: string; userId: string }, Chat | undefined>({
    async load(wanted) {
      const stored = await readChats(database, wanted);
      const owns = stored.flatMap(({ memberships, ...chat }) =>
        memberships.map((own) => ({ ...chat, ...own })),
      );
      const memberships = await settleMemberships(database, owns);
      const byPair = new Map<string, Chat>();
      (await chatsWithOnline(presence, owns)).forEach(({ userId, unsettled, membership, ...chat }, at) => {
        byPair.set(`${chat.id} ${userId}`, { ...chat, membership: memberships[at] ?? membership });
      });
      return wanted.map(({ chatId, userId }) => byPair.get(`${chatId} ${userId}`));
    },
    keyOf: ({ chatId, userId }) => `${chatId} ${userId}`,
    mostKeys: mostPairs,
  });
}

/** The frame of `chat.created` with this number in the place of the chat's own; made once for each. */
export function createdFrame(chat: Chat): (eventSequence: number) => string {
  const frames = new Map<number, string>();
  return (eventSequence) =>
    frames.getOrInsertComputed(eventSequence, () =>
      frameOf('chat.created', JSON.stringify({ chat: { ...chat, eventSequence } })),
    );
}
