import type { UnreadTotals } from './contract.ts';
import type { Requests } from './request.ts';
import { type ChatsState, unreadOfHeld } from './state/chats.ts';
import { createCell } from './store.ts';
import type { UnreadTotal } from './types.ts';

/** Of all chats: those that are held count by themselves, of the others the server is asked. */
export function createUnreadTotal(deps: { requests: Requests; state: () => ChatsState; now: () => number }) {
  const { requests, state, now } = deps;
  const cell = createCell<UnreadTotal>({ chats: 0, mentions: 0 });
  /** What the server said of those that were not held then. */
  let others: { chatIds: readonly string[]; mentions: number } | undefined;
  let asking: Promise<void> | undefined;
  const isHeld = (id: string) => state().chats.get(id)?.item !== undefined;

  function refresh(): void {
    const { chatIds = [], mentions: more = 0 } = others ?? {};
    const rest = chatIds.filter((id) => !isHeld(id));
    if (rest.length < chatIds.length) ask().catch(() => {});
    const held = unreadOfHeld(state(), now());
    const chats = held.chats + rest.length;
    const mentions = held.mentions + (rest.length > 0 ? more : 0);
    const before = cell.getSnapshot();
    if (before.chats !== chats || before.mentions !== mentions) cell.set({ chats, mentions });
  }

  /** What is not held may have changed. */
  function ask(): Promise<void> {
    asking ??= read().finally(() => {
      asking = undefined;
    });
    return asking;
  }

  async function read(): Promise<void> {
    const { epoch } = state();
    const { unreadMentions, chatIds } = await requests.patiently<UnreadTotals>('GET', '/chats/unread');
    if (state().epoch !== epoch) return read();
    const mentions = Math.max(0, unreadMentions - unreadOfHeld(state(), now()).mentions);
    others = { chatIds: chatIds.filter((id) => !isHeld(id)), mentions };
    refresh();
  }

  return {
    store: { subscribe: cell.subscribe, getSnapshot: cell.getSnapshot },
    refresh,
    ask,
    forget(): void {
      others = undefined;
    },
  };
}
