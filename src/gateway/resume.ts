import type { CountChanges } from '../changes/count-changes.ts';
import { mostChanges } from '../changes/limits.ts';
import { participant as participantKind } from '../changes/participant.ts';
import type { Database } from '../db/database.ts';
import type { Membership, Participation } from '../db/queries/memberships.ts';
import { readParticipations } from '../db/queries/memberships.ts';
import type { Metrics } from '../shared/metrics/metrics.ts';
import { type Allowance, createAllowance } from './allowance.ts';
import { createBatcher } from './batch.ts';
import { toChange } from './change.ts';
import { type ChatOf, createdFrame } from './chats.ts';
import type { Cursors } from './cursors.ts';
import { frameFor } from './fan-out.ts';
import type { Member } from './member.ts';
import { resetFrame } from './reset.ts';
import { createResumeMetrics } from './resume-metrics.ts';
import type { Sequencer } from './sequencer.ts';

/** The chats that the client names and its user takes no part in. */
export interface Left {
  chatIds: readonly string[];
  /** What became of the user in those of them that there was a part in. */
  participations: ReadonlyMap<string, Participation>;
}

/** A connect with cursors: what the client knows, and what PostgreSQL says. */
export interface Resumption {
  member: Member;
  cursors: Cursors;
  memberships: readonly Membership[];
  left: Left;
}

export interface Resume {
  /** What became of the chats that the client names and its user is not in. */
  leftOf(member: Member, cursors: Cursors, memberships: readonly Membership[]): Promise<Left>;
  /**
   * In the tick in which CONNECT is answered: tells what was missed and goes live, in each chat without a seam. Resolves
   * when all of it has been sent.
   */
  start(resumption: Resumption): Promise<unknown>;
  /** A socket goes live that has no cursors. */
  none(): void;
}

/** Of one statement, if it is for more than one connect. */
const mostPairs = 1_000;
/** So many chats that are not there are said to be so one by one; of more the list says which are left. */
const mostGone = 20;

/**
 * Of so many chats that have more numbers than may be told the rows are counted, of those that missed least: they are some
 * thousands at most, and who has more such chats reads them by REST anyway.
 */
const mostCounted = 10;

/** A chat that the client knows up to its cursor. */
interface Named {
  chatId: string;
  head: number;
  cursor: number;
}

/** What one connect asks, in one answer: a client may name a thousand chats that never were. */
interface LeftWanted {
  socketId: string;
  userId: string;
  chatIds: readonly string[];
}

export function createResume(deps: {
  database: Database;
  countChanges: CountChanges;
  sequencer: Sequencer;
  chatOf: ChatOf;
  watchMembership: (userId: string, chatId: string) => void;
  metrics: Metrics;
}): Resume {
  const { database, countChanges, sequencer, chatOf, watchMembership } = deps;
  const measured = createResumeMetrics(deps.metrics);
  const participationsOf = createBatcher<LeftWanted, ReadonlyMap<string, Participation>>({
    load: async (wanted) => {
      const userIds = wanted.flatMap(({ userId, chatIds }) => chatIds.map(() => userId));
      const chatIds = wanted.flatMap((one) => one.chatIds);
      const byUser = Map.groupBy(
        await readParticipations(database, userIds, chatIds),
        ({ userId }) => userId,
      );
      return wanted.map(({ userId }) => new Map(byUser.get(userId)?.map((row) => [row.chatId, row])));
    },
    keyOf: ({ socketId }) => socketId,
    mostKeys: mostPairs,
    weightOf: ({ chatIds }) => chatIds.length,
    mostWeight: mostPairs,
  });

  const rowsOf = createBatcher<Named, number>({
    load: (wanted) =>
      countChanges(
        wanted.map(({ chatId, cursor }) => ({ chatId, after: cursor })),
        mostChanges + 1,
      ),
    keyOf: ({ chatId, cursor }) => `${chatId} ${cursor}`,
    mostKeys: mostCounted,
  });

  async function enter(member: Member, chatId: string, head: number): Promise<void> {
    if (!sequencer.enter(member, chatId, head)) await sequencer.join(member, chatId, head);
  }

  return {
    async leftOf({ socketId, userId }, { byChat }, memberships) {
      const present = new Set(memberships.map(({ chatId }) => chatId));
      const chatIds = [...byChat.keys()].filter((chatId) => !present.has(chatId));
      const participations =
        chatIds.length === 0 ? none : await participationsOf({ socketId, userId, chatIds });
      return { chatIds, participations };
    },

    start({ member, cursors: { byChat, more }, memberships, left }) {
      const end = measured.begin();
      const allowance = createAllowance();
      const held = memberships.filter(({ chatId }) => member.chats.has(chatId));
      const unnamed = held.filter(({ chatId }) => !byChat.has(chatId));
      const named = held.flatMap(({ chatId, head }) => {
        const cursor = byChat.get(chatId);
        return cursor === undefined ? [] : [{ chatId, head, cursor, missed: head - cursor }];
      });
      const joins: Promise<void>[] = [];
      let listReset = false;
      /** Once for all chats that are too many to be told of, those that the client knows or does not know. */
      const resetList = () => {
        allowance.reset();
        if (!listReset) member.send(resetFrame({}));
        listReset = true;
      };
      if (more) resetList();
      tellLeft(member, byChat, left, { allowance, resetList });

      const show = async (chatId: string): Promise<void> => {
        const chat = await chatOf({ chatId, userId: member.userId });
        if (member.closed || !member.chats.has(chatId)) return;
        if (!chat) {
          sequencer.leave(member, chatId);
          // An adding after that was not looked at: the member held the chat.
          return watchMembership(member.userId, chatId);
        }
        const frame = createdFrame(chat)(chat.eventSequence);
        if (allowance.takeBytes(frame)) member.send(frame);
        else resetList();
        await enter(member, chatId, chat.eventSequence);
      };
      const toShow = !more && allowance.takeEvents(unnamed.length);
      if (!toShow) resetList();
      for (const { chatId, head } of unnamed) {
        joins.push(toShow ? show(chatId) : enter(member, chatId, head));
      }

      const tell = ({ chatId, cursor }: Named, expected: number) =>
        sequencer.join(member, chatId, cursor, { expected, mayTell: allowance.takeBytes });
      const reset = ({ chatId, head }: Named) => {
        allowance.reset();
        member.send(resetFrame({ chatId, eventSequence: head }));
        return enter(member, chatId, head);
      };
      const uncertain: Named[] = [];
      // The least missed first: so the most chats are told whole.
      for (const { missed, ...chat } of named.sort((a, b) => a.missed - b.missed)) {
        if (missed === 0) joins.push(enter(member, chat.chatId, chat.head));
        // A cursor of a database that was restored to an older state.
        else if (missed < 0) joins.push(reset(chat));
        else if (allowance.takeEvents(missed)) joins.push(tell(chat, missed));
        else uncertain.push(chat);
      }
      /** More numbers than may be told, but perhaps not more rows. */
      const count = async (chats: readonly Named[]): Promise<void> => {
        const rows = await Promise.all(chats.map(rowsOf));
        if (member.closed) return;
        const counted = chats
          .map((chat, at) => ({ chat, rows: rows[at] ?? 0 }))
          .filter(({ chat: { chatId } }) => {
            if (member.chats.has(chatId)) return true;
            // Removed meanwhile, while it was in no room that would have told it.
            member.send(resetFrame({ chatId }));
            return false;
          });
        await Promise.all(
          counted
            .sort((a, b) => a.rows - b.rows)
            .map(({ chat, rows }) => (allowance.takeEvents(rows) ? tell(chat, rows) : reset(chat))),
        );
      };
      const most = allowance.isUsedUp() ? 0 : mostCounted;
      joins.push(count(uncertain.slice(0, most)), ...uncertain.slice(most).map(reset));
      return Promise.all(joins).then(() => end(allowance));
    },

    none: measured.none,
  };
}

/**
 * Of each chat that was left the event that removed the user, unless it was told before. Whoever is not in a chat learns
 * nothing of what came later in it: not from any number that they may try, and not whether it is there.
 */
function tellLeft(
  member: Member,
  cursors: ReadonlyMap<string, number>,
  { chatIds, participations }: Left,
  { allowance, resetList }: { allowance: Allowance; resetList: () => void },
): void {
  const gone: string[] = [];
  for (const chatId of chatIds) {
    const participation = participations.get(chatId);
    const cursor = cursors.get(chatId) ?? 0;
    // A number above the removal is none that was told, but in a database that was restored since.
    if (!participation || cursor > participation.changedEventSequence) gone.push(chatId);
    else if (cursor < participation.changedEventSequence) tellRemoval(member, participation, allowance);
  }
  if (gone.length > mostGone) resetList();
  else
    for (const chatId of gone) {
      allowance.reset();
      member.send(resetFrame({ chatId }));
    }
}

function tellRemoval(
  member: Member,
  { chatId, participant, changedEventSequence: eventSequence }: Participation,
  allowance: Allowance,
): void {
  const online = new Set([participant.userId]);
  const told = participantKind.tell({ chatId, eventSequence }, [{ participant, present: false }], online);
  const frame = frameFor(member, toChange(told));
  const fits = allowance.takeEvents(1) && allowance.takeBytes(frame);
  if (!fits) allowance.reset();
  member.send(fits ? frame : resetFrame({ chatId }));
}

const none: ReadonlyMap<string, Participation> = new Map();
