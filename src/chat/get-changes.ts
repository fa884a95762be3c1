import type { Told } from '../changes/kind.ts';
import { mostChangeBytes, mostChanges } from '../changes/limits.ts';
import { readChanges } from '../changes/read-changes.ts';
import { changeFor, concernedBy, tell } from '../changes/tell.ts';
import type { Database } from '../db/database.ts';
import type { ChangesPage, ChatChange } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { Presence } from '../shared/presence/presence.ts';

export type GetChanges = (input: { chatId: string; userId: string; after: number }) => Promise<ChangesPage>;

/** Rows of one statement: long messages are not read by the hundreds to be left out again. */
const pageRows = 100;

/**
 * What a socket would have been sent of this chat, from after a number on, up to as much as a resume is told. Numbers that
 * several participants share are not torn apart: there may be a few more.
 * @throws ChatError `chat_not_found`
 */
export function createGetChanges({
  database,
  presence,
}: {
  database: Database;
  presence: Presence;
}): GetChanges {
  return async ({ chatId, userId, after }) => {
    const data: ChatChange[] = [];
    let bytes = 0;
    let through = after;
    for (;;) {
      const [page] = await readChanges(database, [{ chatId, after: through }], pageRows, userId);
      if (!page) throw new ChatError('chat_not_found');
      // A cursor of a database that was restored to an older state.
      if (through > page.head) return resetTo(chatId, page.head);

      const online = await presence.online(concernedBy(page.rows));
      for (const told of byNumber(tell(chatId, page.rows, online))) {
        const changes = told.map((one) => changeFor(userId, one));
        bytes += Buffer.byteLength(JSON.stringify(changes));
        const full = bytes > mostChangeBytes || data.length + changes.length > mostChanges;
        if (full && data.length > 0) return { data, eventSequence: through };
        data.push(...changes);
        through = told[0]?.eventSequence ?? through;
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

const byNumber = (told: readonly Told[]): Iterable<Told[]> =>
  Map.groupBy(told, ({ eventSequence }) => eventSequence).values();
