import { eq, sql } from 'drizzle-orm';
import { type Announce, membershipHint } from '../changes/announce.ts';
import type { Database, Orm } from '../db/database.ts';
import { chatParticipants, chats } from '../db/schema.ts';
import { inTransaction } from '../db/transaction.ts';
import type { AuditOf } from '../shared/audit.ts';
import type { Chat } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import { assertRoom } from './assert-room.ts';
import type { GetChat } from './get-chat.ts';
import { takeOwnChanges } from './take-own-changes.ts';
import { assertUsersExist } from './users-exist.ts';

/** A chat begins with no more than these, its creator included. */
export const mostParticipants = 1_000;

export interface CreateChatInput {
  creatorId: string;
  /** In lower case; the creator may be among them, and anyone twice. */
  participantUserIds: readonly string[];
  name?: string | null | undefined;
  /** "A name or more than one other" where it is not said. */
  isGroup?: boolean | undefined;
  audit: AuditOf;
}

/** `created` is false for the second direct chat of a pair: the chat is the first one. */
export type CreateChat = (input: CreateChatInput) => Promise<{ chat: Chat; created: boolean }>;

export interface CreateChatDependencies {
  database: Database;
  getChat: GetChat;
  announce: Announce;
  /** Of one chat. */
  maxParticipants: number;
}

/**
 * The creator becomes the owner. The participants take the first event numbers, in the order they were named in.
 * @throws ChatError `validation_failed`, `user_not_found`, `chat_full`, `database_unavailable`
 */
export function createCreateChat(deps: CreateChatDependencies): CreateChat {
  const { database, getChat, announce, maxParticipants } = deps;
  return async (input) => {
    const { creatorId } = input;
    const userIds = [...new Set([creatorId, ...input.participantUserIds])];
    const name = input.name ?? null;
    const isGroup = input.isGroup ?? (name !== null || userIds.length > 2);
    assertSensible(userIds.length, name, isGroup);
    assertRoom(userIds.length, maxParticipants);

    const directKey = isGroup ? null : userIds.toSorted().join(':');
    const { chatId, created } = await inTransaction(database, async (tx) => {
      await assertUsersExist(tx, userIds);
      return insertChat(tx, { creatorId, userIds, name, isGroup, directKey });
    });

    if (created) {
      input.audit('participants.added', { chatId, userIds });
      await announce(userIds.map((userId) => membershipHint(chatId, userId, userIds.length)));
    }
    return { chat: await getChat({ chatId, userId: creatorId }), created };
  };
}

function assertSensible(participantCount: number, name: string | null, isGroup: boolean): void {
  const refuse = (path: string, message: string): never => {
    throw new ChatError('validation_failed', undefined, { errors: [{ path, message }] });
  };
  if (participantCount > mostParticipants) {
    refuse('participantUserIds', `must be ${mostParticipants} at most, you included`);
  }
  if (isGroup) return;
  if (name !== null) refuse('isGroup', 'must not be false for a chat with a name');
  if (participantCount > 2) refuse('isGroup', 'must not be false for more than one other participant');
  if (participantCount < 2) refuse('participantUserIds', 'must name somebody else, or ask for a group');
}

interface NewChat {
  creatorId: string;
  userIds: readonly string[];
  name: string | null;
  isGroup: boolean;
  directKey: string | null;
}

async function insertChat(
  tx: Orm,
  { creatorId, userIds, name, isGroup, directKey }: NewChat,
): Promise<{ chatId: string; created: boolean }> {
  const chatId = newId();
  // Where another transaction has just made the pair's chat, this waits for its end; then the first one is found below.
  const inserted = await tx
    .insert(chats)
    .values({ id: chatId, isGroup, name, directKey, lastEventSequence: userIds.length })
    .onConflictDoNothing({ target: chats.directKey })
    .returning({ id: chats.id });
  if (inserted.length === 0 && directKey !== null) {
    const [first] = await tx.select({ id: chats.id }).from(chats).where(eq(chats.directKey, directKey));
    if (!first) throw new Error('a direct chat conflicts with one that is not there');
    return { chatId: first.id, created: false };
  }
  const versions = await takeOwnChanges(tx, userIds);
  await tx.insert(chatParticipants).values(
    userIds.map((userId, at) => ({
      chatId,
      userId,
      role: at === 0 ? ('owner' as const) : ('member' as const),
      joinedAt: sql`statement_timestamp()`,
      createdEventSequence: at + 1,
      changedEventSequence: at + 1,
      addedBy: creatorId,
      lastReadSequence: 0,
      membershipVersion: versions.get(userId) ?? 0,
    })),
  );
  return { chatId, created: true };
}
