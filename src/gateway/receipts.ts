import type { ReadEvent } from '../shared/contract.ts';
import type { ReadsBody } from '../shared/ports/notifications.ts';
import { frameOf } from './fan-out.ts';
import type { OwnMemberships } from './own-memberships.ts';
import type { Sequencer } from './sequencer.ts';
import type { Users } from './users.ts';

type Read = ReadEvent['reads'][number];

/** Who has read how far, for those in the chat: hints, gathered so that a room in which all read is told once a second. */
export interface Receipts {
  /** As announced, of one chat. */
  hear(chatId: string, body: ReadsBody): void;
  stop(): void;
}

/** One frame a chat in this time. */
const gatherMs = 1_000;

interface Gathered {
  reads: Map<string, Read>;
  timer: ReturnType<typeof setTimeout>;
}

export function createReceipts(deps: {
  sequencer: Pick<Sequencer, 'room'>;
  users: Pick<Users, 'local'>;
  ownMemberships: Pick<OwnMemberships, 'offer' | 'hold' | 'release'>;
}): Receipts {
  const { sequencer, users, ownMemberships } = deps;
  const chats = new Map<string, Gathered>();

  /** Their own memberships in the same write: nearly all that a frame costs is the write. */
  function tell(chatId: string): void {
    const reads = [...(chats.get(chatId)?.reads.values() ?? [])];
    chats.delete(chatId);
    const frame = frameOf('chat.read', JSON.stringify({ chatId, reads } satisfies ReadEvent));
    for (const member of sequencer.room(chatId)) {
      const user = users.local(member.userId);
      const told = () => {
        ownMemberships.release(member.userId);
        // Who tells nobody is told nothing.
        if (user?.readReceipts) member.pass(frame);
      };
      if (user?.held && member.ws) member.ws.cork(told);
      else told();
    }
    for (const { userId } of reads) ownMemberships.release(userId);
  }

  return {
    hear(chatId, { reads: announced, memberships }) {
      const known = chats.get(chatId);
      const { reads } = known ?? { reads: new Map<string, Read>() };
      // Who reads while nobody else does is told at once.
      const alone = !known && announced.length === 1;
      if (!known) chats.set(chatId, { reads, timer: setTimeout(tell, gatherMs, chatId) });
      for (const [at, read] of announced.entries()) {
        const before = reads.get(read.userId);
        if (!before || before.lastReadSequence < read.lastReadSequence) reads.set(read.userId, read);
        const membership = memberships?.[at];
        if (!membership) continue;
        if (alone) ownMemberships.offer(read.userId, membership);
        else ownMemberships.hold(read.userId, membership);
      }
    },

    stop() {
      for (const { timer } of chats.values()) clearTimeout(timer);
      chats.clear();
    },
  };
}
