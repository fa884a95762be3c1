import { type Cell, createCell, storeOf } from './store.ts';
import type { ChatHandle, KeyValueStorage } from './types.ts';

const prefix = 'draft/';

/** Text that is not sent, of each chat; kept at each key. */
export function createDrafts(storage: () => KeyValueStorage | undefined) {
  const cells = new Map<string, Cell<string>>();
  const cellOf = (chatId: string): Cell<string> => {
    const cell = cells.get(chatId) ?? createCell('');
    cells.set(chatId, cell);
    return cell;
  };
  return {
    of(chatId: string): ChatHandle['draft'] {
      const cell = cellOf(chatId);
      return {
        ...storeOf(cell),
        set(text) {
          cell.set(text);
          const key = prefix + chatId;
          // A full storage: it is there as long as the tab lives.
          (text ? storage()?.set(key, text) : storage()?.delete(key))?.catch(() => {});
        },
      };
    },
    async restore(): Promise<void> {
      for (const key of (await storage()?.keys(prefix)) ?? []) {
        const cell = cellOf(key.slice(prefix.length));
        const text = await storage()?.get(key);
        // What was typed meanwhile is newer.
        if (text && !cell.getSnapshot()) cell.set(text);
      }
    },
    forget(): void {
      for (const cell of cells.values()) cell.set('');
    },
  };
}
