import type { UnreadTotals } from './contract.ts';
import type { Requests } from './request.ts';
import { type ChatsState, unreadOfHeld } from './state/chats.ts';
import { createCell } from './store.ts';
import type { UnreadTotal } from './types.ts';

/** Of all chats: those that are held count by themselves, of the others the server is asked. */
export function createUnreadTotal(deps: { requests: Requests; state: () => ChatsState; now: () => number }) {
  const { requests, state, now } = deps;
  const cell = createCell<UnreadTotal>({ chats: 0, mentions: 0 });
  /** What the server says, without what was held then. */
  let others: { chatIds: readonly string[]; mentions: number } | undefined;

  function refresh(): void {
    const held = unreadOfHeld(state(), now());
    const more = others?.chatIds.filter((id) => !state().chats.get(id)?.item) ?? [];
    const chats = held.chats + more.length;
    const mentions = held.mentions + (others?.mentions ?? 0);
    const before = cell.getSnapshot();
    if (before.chats !== chats || before.mentions !== mentions) cell.set({ chats, mentions });
  }

  return {
    store: { subscribe: cell.subscribe, getSnapshot: cell.getSnapshot },
    refresh,
    /** The list was read further, or what is not held may have changed. */
    async ask(): Promise<void> {
      const { listed } = state();
      others = undefined;
      if (listed?.nextCursor) {
        const { unreadMentions, chatIds } = await requests.patiently<UnreadTotals>('GET', '/chats/unread');
        others = { chatIds, mentions: Math.max(0, unreadMentions - unreadOfHeld(state(), now()).mentions) };
      }
      refresh();
    },
    forget(): void {
      others = undefined;
      refresh();
    },
  };
}
