import type { UnreadTotals } from './contract.ts';
import type { Requests } from './request.ts';
import { type ChatsState, unreadOfHeld } from './state/chats.ts';
import { createCell, storeOf } from './store.ts';
import { shared } from './turns.ts';
import type { UnreadTotal } from './types.ts';

/** Of all chats: those that are held count by themselves, of the others the server is asked. */
export function createUnreadTotal(deps: { requests: Requests; state: () => ChatsState; now: () => number }) {
  const { requests, state, now } = deps;
  const cell = createCell<UnreadTotal>({ chats: 0, mentions: 0 });
  /** What the server said of those that were not held then. */
  let others: { chatIds: readonly string[]; mentions: number } = { chatIds: [], mentions: 0 };
  const notHeld = (chatIds: readonly string[]) => chatIds.filter((id) => !state().chats.get(id)?.item);

  function refresh(): void {
    const { length } = notHeld(others.chatIds);
    if (length < others.chatIds.length) void ask();
    const { chats, mentions } = unreadOfHeld(state(), now());
    cell.set({ chats: chats + length, mentions: mentions + (length && others.mentions) });
  }

  /** What is not held may have changed. */
  async function read(): Promise<void> {
    const { epoch } = state();
    const { unreadMentions, chatIds } = await requests.patiently<UnreadTotals>('GET', '/chats/unread');
    if (state().epoch !== epoch) return read();
    const mentions = Math.max(0, unreadMentions - unreadOfHeld(state(), now()).mentions);
    others = { chatIds: notHeld(chatIds), mentions };
    refresh();
  }
  const ask = shared(() => read().catch(() => {}));

  return {
    store: storeOf(cell),
    refresh,
    ask,
    forget(): void {
      others = { chatIds: [], mentions: 0 };
    },
  };
}
