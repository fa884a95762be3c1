import { mostChangeBytes, mostChanges } from '../changes/limits.ts';
import type { ReadChanges } from '../changes/read-changes.ts';
import { changeFor } from '../changes/told.ts';
import type { ChangesPage, ChatChange } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';

export type GetChanges = (input: { chatId: string; userId: string; after: number }) => Promise<ChangesPage>;

/** Rows of one statement: long messages are not read by the hundreds to be left out again. */
const pageRows = 100;

/**
 * What a socket would have been sent of this chat, from after a number on, up to as much as a resume is told. Numbers that
 * several changes share are not torn apart: there may be a few more.
 * @throws ChatError `chat_not_found`
 */
export function createGetChanges(readChanges: ReadChanges): GetChanges {
  return async ({ chatId, userId, after }) => {
    const data: ChatChange[] = [];
    let bytes = 0;
    let through = after;
    for (;;) {
      const [page] = await readChanges([{ chatId, after: through }], pageRows, userId);
      if (!page) throw new ChatError('chat_not_found');
      // A cursor of a database that was restored to an older state.
      if (through > page.head) return resetTo(chatId, page.head);

      for (const [number, told] of Map.groupBy(page.changes, ({ eventSequence }) => eventSequence)) {
        const changes = told.map((one) => changeFor(userId, one));
        bytes += Buffer.byteLength(JSON.stringify(changes));
        const full = bytes > mostChangeBytes || data.length + changes.length > mostChanges;
        if (full && data.length > 0) return { data, eventSequence: through };
        data.push(...changes);
        through = number;
      }
      through = page.through;
      if (through >= page.head) return { data, eventSequence: through };
    }
  };
}

const resetTo = (chatId: string, eventSequence: number): ChangesPage => ({
  data: [{ event: 'chat.sync.reset', payload: { chatId, eventSequence } }],
  eventSequence,
});
