import { and, eq, inArray, sql } from 'drizzle-orm';
import { type Announce, changeNotification, membershipHint } from '../changes/announce.ts';
import type { Database, Orm } from '../db/database.ts';
import type { StoredParticipant } from '../db/queries/participant-columns.ts';
import { chatParticipants } from '../db/schema.ts';
import { inTransaction } from '../db/transaction.ts';
import type { AuditOf } from '../shared/audit.ts';
import type { Participant } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { Facts } from '../shared/ports/admission.ts';
import type { Presence } from '../shared/ports/presence.ts';
import { assertRoom } from './assert-room.ts';
import { advanceEventSequence, lockGroup } from './lock-chat.ts';
import { withOnline } from './online.ts';
import { liveFact, participantFact } from './participant-fact.ts';
import { readParticipants } from './read-participants.ts';
import { takeOwnChanges } from './take-own-changes.ts';
import { assertUsersExist } from './users-exist.ts';

export interface AddParticipantsInput {
  chatId: string;
  actorId: string;
  /** In lower case; anyone may be named twice, and who takes part already stays as they are. */
  userIds: readonly string[];
  audit: AuditOf;
}

/** The named users as participants, in the order they were named in. */
export type AddParticipants = (input: AddParticipantsInput) => Promise<Participant[]>;

export interface AddParticipantsDependencies {
  database: Database;
  facts: Facts;
  presence: Presence;
  announce: Announce;
  /** Of one chat. */
  maxParticipants: number;
}

/** So many share a number, and so an event: one for each would be as many frames to everybody in the chat. */
const mostTogether = 100;

/** Who has left by themselves is not put back by whoever had put them in, for as long as this. */
const restAfterLeaving = '1 day';

/**
 * By owners and admins. Those who are added share a number of the chat's, 100 at most one; who takes part already takes none.
 * @throws ChatError `chat_not_found`, `chat_is_direct`, `not_owner`, `user_not_found`, `recently_left`,
 * `chat_full`, `database_unavailable`
 */
export function createAddParticipants(deps: AddParticipantsDependencies): AddParticipants {
  const { database, facts, presence, announce, maxParticipants } = deps;

  return async ({ chatId, actorId, userIds: named, audit }) => {
    const userIds = [...new Set(named)];
    const { stored, numbers } = await inTransaction(database, async (tx) => {
      const chat = await lockGroup(tx, chatId, actorId);
      if (chat.role === 'member') throw new ChatError('not_owner');
      await assertUsersExist(tx, userIds);

      const present = new Set(
        (await readParticipants(tx, chatId, userIds, actorId)).map(({ userId }) => userId),
      );
      const absent = userIds.filter((userId) => !present.has(userId));
      if (absent.length > 0) assertRoom(chat.participantCount + absent.length, maxParticipants);
      await assertNotJustLeft(tx, { chatId, actorId, userIds: absent });
      const numberOf = (at: number) => chat.eventSequence + 1 + Math.floor(at / mostTogether);
      const numbers = new Map(absent.map((userId, at) => [userId, numberOf(at)]));
      if (numbers.size > 0) {
        const versions = await takeOwnChanges(tx, absent);
        await insertParticipants(tx, { chatId, actorId, numbers, versions, lastSequence: chat.lastSequence });
        await advanceEventSequence(tx, chatId, numberOf(absent.length - 1));
      }
      return { stored: await readParticipants(tx, chatId, userIds, actorId), numbers };
    });

    if (numbers.size > 0) audit('participants.added', { chatId, userIds: [...numbers.keys()] });
    const added = [
      ...[...new Set(numbers.values())].map((eventSequence) =>
        changeNotification({ chatId, eventSequence, event: 'chat.participant.added' }),
      ),
      ...[...numbers].map(([userId, number]) => membershipHint(chatId, userId, number)),
    ];
    const [participants] = await Promise.all([
      withOnline(presence, inOrder(stored, userIds)),
      // A user who left less than 30 s ago has a revoked fact; and the chat may have become a big one.
      facts.restore([
        liveFact(chatId),
        ...[...numbers.keys()].map((userId) => participantFact(chatId, userId)),
      ]),
      added.length > 0 ? announce(added) : undefined,
    ]);
    return participants;
  };
}

/**
 * Who was here before gets the old row back, as a member who has just joined. Its `created_event_sequence` stays the
 * number of the first joining: a client whose cursor lies beyond that has heard of this participant and must be told
 * what became of them, however often they have come and gone since.
 */
async function insertParticipants(
  tx: Orm,
  joining: {
    chatId: string;
    actorId: string;
    numbers: ReadonlyMap<string, number>;
    /** Of the memberships. */
    versions: ReadonlyMap<string, number>;
    lastSequence: number;
  },
): Promise<void> {
  const { chatId, actorId, numbers, versions, lastSequence } = joining;
  await tx
    .insert(chatParticipants)
    .values(
      [...numbers].map(([userId, number]) => ({
        chatId,
        userId,
        role: 'member' as const,
        // After the lock, where now() is before it: the order of joining is that of the numbers.
        joinedAt: sql`statement_timestamp()`,
        createdEventSequence: number,
        changedEventSequence: number,
        addedBy: actorId,
        lastReadSequence: lastSequence,
        membershipVersion: versions.get(userId) ?? 0,
      })),
    )
    .onConflictDoUpdate({
      target: [chatParticipants.chatId, chatParticipants.userId],
      set: {
        role: sql`excluded.role`,
        joinedAt: sql`excluded.joined_at`,
        leftAt: null,
        addedBy: sql`excluded.added_by`,
        removedBy: null,
        changedEventSequence: sql`excluded.changed_event_sequence`,
        lastReadSequence: sql`excluded.last_read_sequence`,
        membershipVersion: sql`excluded.membership_version`,
        notify: sql`excluded.notify`,
        mutedUntil: null,
        pinnedAt: null,
        archivedAt: null,
      },
    });
}

/** @throws ChatError `recently_left`, naming the first */
async function assertNotJustLeft(
  tx: Orm,
  { chatId, actorId, userIds }: { chatId: string; actorId: string; userIds: readonly string[] },
): Promise<void> {
  if (userIds.length === 0) return;
  const [left] = await tx
    .select({ userId: chatParticipants.userId })
    .from(chatParticipants)
    .where(
      and(
        eq(chatParticipants.chatId, chatId),
        inArray(chatParticipants.userId, [...userIds]),
        eq(chatParticipants.addedBy, actorId),
        eq(chatParticipants.removedBy, chatParticipants.userId),
        sql`${chatParticipants.leftAt} > now() - ${restAfterLeaving}::interval`,
      ),
    )
    .limit(1);
  if (left)
    throw new ChatError('recently_left', `The user ${left.userId} has left this chat within the last day.`);
}

function inOrder(stored: readonly StoredParticipant[], userIds: readonly string[]): StoredParticipant[] {
  const byId = new Map(stored.map((participant) => [participant.userId, participant]));
  return userIds.flatMap((userId) => byId.get(userId) ?? []);
}
