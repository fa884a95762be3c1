import { mostChangeBytes, mostChanges } from '../chat/change-limits.ts';
import type { Database } from '../db/database.ts';
import type { Membership, Participation } from '../db/queries/memberships.ts';
import { readParticipations } from '../db/queries/memberships.ts';
import type { ParticipantEvent } from '../shared/contract.ts';
import { createBatcher } from './batch.ts';
import type { ChatOf } from './chats.ts';
import type { Cursors } from './cursors.ts';
import { frameOf } from './fan-out.ts';
import type { Member } from './member.ts';
import { resetFrame } from './reset.ts';
import type { Sequencer } from './sequencer.ts';

/** A chat that the client names and its user takes no part in. */
export interface Left {
  chatId: string;
  cursor: number;
  /** Undefined where the user never took part, as far as PostgreSQL knows. */
  participation: Participation | undefined;
}

/** A connect with cursors: what the client knows, and what PostgreSQL says. */
export interface Resumption {
  member: Member;
  cursors: Cursors;
  memberships: readonly Membership[];
  left: readonly Left[];
}

export interface Resume {
  /** What became of the chats that the client names and its user is not in. */
  leftOf(member: Member, cursors: Cursors, memberships: readonly Membership[]): Promise<Left[]>;
  /**
   * In the tick in which CONNECT is answered: tells what was missed and goes live, in each chat without a seam. Resolves
   * when all of it has been sent.
   */
  start(resumption: Resumption): Promise<unknown>;
}

const mostPairs = 1_000;

export function createResume(deps: { database: Database; sequencer: Sequencer; chatOf: ChatOf }): Resume {
  const { database, sequencer, chatOf } = deps;
  const participationOf = createBatcher<{ userId: string; chatId: string }, Participation | undefined>({
    load: async (pairs) => {
      const rows = await readParticipations(database, pairs);
      const byPair = new Map(rows.map((row) => [`${row.userId} ${row.chatId}`, row]));
      return pairs.map(({ userId, chatId }) => byPair.get(`${userId} ${chatId}`));
    },
    keyOf: ({ userId, chatId }) => `${userId} ${chatId}`,
    mostKeys: mostPairs,
  });

  async function enter(member: Member, chatId: string, head: number): Promise<void> {
    if (!sequencer.enter(member, chatId, head)) await sequencer.join(member, chatId, head);
  }

  return {
    leftOf({ userId }, cursors, memberships) {
      const present = new Set(memberships.map(({ chatId }) => chatId));
      const named = [...cursors].filter(([chatId]) => !present.has(chatId));
      return Promise.all(
        named.map(async ([chatId, cursor]) => ({
          chatId,
          cursor,
          participation: await participationOf({ userId, chatId }),
        })),
      );
    },

    start({ member, cursors, memberships, left }) {
      const allowance = createAllowance();
      for (const one of left) tellLeft(member, one, allowance);

      const held = memberships.filter(({ chatId }) => member.chats.has(chatId));
      const unnamed = held.filter(({ chatId }) => !cursors.has(chatId));
      const named = held.flatMap(({ chatId, head }) => {
        const cursor = cursors.get(chatId);
        return cursor === undefined ? [] : [{ chatId, head, cursor, missed: head - cursor }];
      });
      const joins: Promise<void>[] = [];
      let listReset = false;
      /** Once for all chats that the client does not know and that are too many to be shown to it. */
      const resetList = () => {
        if (!listReset) member.send(resetFrame({}));
        listReset = true;
      };

      const show = async (chatId: string): Promise<void> => {
        const chat = await chatOf({ chatId, userId: member.userId });
        if (member.closed || !member.chats.has(chatId)) return;
        if (!chat) return sequencer.leave(member, chatId);
        const frame = frameOf('chat.created', JSON.stringify({ chat }));
        if (allowance.takeBytes(frame)) member.send(frame);
        else resetList();
        await enter(member, chatId, chat.eventSequence);
      };
      const toShow = allowance.takeEvents(unnamed.length);
      if (!toShow) resetList();
      for (const { chatId, head } of unnamed) {
        joins.push(toShow ? show(chatId) : enter(member, chatId, head));
      }

      // The least missed first: so the most chats are told whole.
      for (const { chatId, head, cursor, missed } of named.sort((a, b) => a.missed - b.missed)) {
        if (missed > 0 && allowance.takeEvents(missed)) {
          const options = { expected: missed, mayTell: allowance.takeBytes };
          joins.push(sequencer.join(member, chatId, cursor, options));
        } else {
          // Too much, or beyond the head, which is a cursor of a database that was restored to an older state.
          if (missed !== 0) member.send(resetFrame({ chatId, eventSequence: head }));
          joins.push(enter(member, chatId, head));
        }
      }
      return Promise.all(joins);
    },
  };
}

interface Allowance {
  /** All of them, or none. */
  takeEvents(count: number): boolean;
  /** Once a frame has been too long, no further one fits. */
  takeBytes(frame: string): boolean;
}

function createAllowance(): Allowance {
  let events = mostChanges;
  let bytes = mostChangeBytes;
  return {
    takeEvents(count) {
      if (count > events) return false;
      events -= count;
      return true;
    },
    takeBytes(frame) {
      bytes -= Buffer.byteLength(frame);
      return bytes >= 0;
    },
  };
}

/** The event that removed the user, unless it was told before. */
function tellLeft(member: Member, { chatId, cursor, participation }: Left, allowance: Allowance): void {
  // Not there for this user, or not any more: reading it says so.
  if (!participation || cursor > participation.head) {
    member.send(resetFrame({ chatId }));
    return;
  }
  const { participant, changedEventSequence } = participation;
  if (cursor >= changedEventSequence) return;
  const event: ParticipantEvent = {
    chatId,
    participant: { ...participant, online: true },
    eventSequence: changedEventSequence,
  };
  const frame = frameOf('chat.participant.removed', JSON.stringify(event));
  const fits = allowance.takeEvents(1) && allowance.takeBytes(frame);
  member.send(fits ? frame : resetFrame({ chatId }));
}
