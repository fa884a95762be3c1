import { type Cell, createCell } from './store.ts';
import type { ChatHandle, KeyValueStorage } from './types.ts';

/** Text that is not sent, of each chat; kept half a second after the last key. */
export function createDrafts(storage: () => KeyValueStorage | undefined) {
  const cells = new Map<string, Cell<string>>();
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  const cellOf = (chatId: string): Cell<string> => {
    const cell = cells.get(chatId) ?? createCell('');
    cells.set(chatId, cell);
    return cell;
  };
  async function keep(chatId: string): Promise<void> {
    clearTimeout(timers.get(chatId));
    timers.delete(chatId);
    const text = cellOf(chatId).getSnapshot();
    try {
      await (text ? storage()?.set(`draft/${chatId}`, text) : storage()?.delete(`draft/${chatId}`));
    } catch {
      // A full storage: it is there as long as the tab lives.
    }
  }
  return {
    of(chatId: string): ChatHandle['draft'] {
      const { subscribe, getSnapshot, set } = cellOf(chatId);
      return {
        subscribe,
        getSnapshot,
        set(text) {
          set(text);
          clearTimeout(timers.get(chatId));
          timers.set(
            chatId,
            setTimeout(() => void keep(chatId), 500),
          );
        },
      };
    },
    async restore(): Promise<void> {
      for (const key of (await storage()?.keys('draft/')) ?? []) {
        const cell = cellOf(key.slice('draft/'.length));
        // What was typed meanwhile is newer.
        if (cell.getSnapshot() === '') cell.set((await storage()?.get(key)) ?? '');
      }
    },
    async flush(): Promise<void> {
      await Promise.all([...timers.keys()].map(keep));
    },
    forget(): void {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
      for (const cell of cells.values()) cell.set('');
    },
  };
}
