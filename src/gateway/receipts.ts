import type { ReadEvent } from '../shared/contract.ts';
import { frameOf } from './fan-out.ts';
import type { Sequencer } from './sequencer.ts';
import type { Users } from './users.ts';

type Read = ReadEvent['reads'][number];

/** Who has read how far, for those in the chat: hints, gathered so that a room in which all read is told once a second. */
export interface Receipts {
  /** As announced, of one chat. */
  hear(chatId: string, reads: readonly Read[]): void;
  stop(): void;
}

/** One frame a chat in this time. */
const gatherMs = 1_000;

export function createReceipts(deps: { sequencer: Sequencer; users: Users }): Receipts {
  const { sequencer, users } = deps;
  const gathered = new Map<string, { reads: Map<string, Read>; timer: ReturnType<typeof setTimeout> }>();

  function tell(chatId: string): void {
    const reads = [...(gathered.get(chatId)?.reads.values() ?? [])];
    gathered.delete(chatId);
    const frame = frameOf('chat.read', JSON.stringify({ chatId, reads } satisfies ReadEvent));
    // Who tells nobody is told nothing.
    sequencer.pass(chatId, frame, ({ userId }) => users.local(userId)?.readReceipts === true);
  }

  return {
    hear(chatId, announced) {
      const { reads } = gathered.getOrInsertComputed(chatId, () => ({
        reads: new Map<string, Read>(),
        timer: setTimeout(tell, gatherMs, chatId),
      }));
      for (const read of announced) {
        const known = reads.get(read.userId);
        if (!known || known.lastReadSequence < read.lastReadSequence) reads.set(read.userId, read);
      }
    },

    stop() {
      for (const { timer } of gathered.values()) clearTimeout(timer);
      gathered.clear();
    },
  };
}
