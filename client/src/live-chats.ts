import { type ChatsInput, type ChatsState, foldChats, noChats, withItems } from './state/chats.ts';
import { createCell, storeOf } from './store.ts';
import type { ChatListSnapshot } from './types.ts';

/** All that is known of chats, and the list of them. @param onChange told which have changed; undefined: any */
export function createLiveChats(onChange: (chatIds?: readonly string[]) => void) {
  let [state, loading] = [noChats(''), false];
  const list = createCell<ChatListSnapshot>({ items: [], hasMore: false, loading });
  const refreshList = () => list.set({ items: state.items, hasMore: !!state.listed?.nextCursor, loading });
  return {
    list: storeOf(list),
    state: () => state,
    /** The one way in for everything that is told, read or answered. */
    fold(input: ChatsInput): void {
      const before = state;
      state = foldChats(state, input);
      if (state === before) return;
      const { chats } = state;
      onChange(
        chats === before.chats
          ? []
          : [...chats.keys()].filter((id) => chats.get(id) !== before.chats.get(id)),
      );
      refreshList();
    },
    /** By what is known of another user, or kept of this one. */
    replace(next: ChatsState): void {
      state = withItems(next);
      onChange();
      refreshList();
    },
    isLoading(is: boolean): void {
      loading = is;
      refreshList();
    },
  };
}
