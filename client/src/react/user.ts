/** What is one's own, over all chats. */

import { useMemo } from 'react';
import type { User, UserPresence } from '../contract.ts';
import type { ChatList, ChatListSnapshot, ConnectionStatus, UnreadTotal } from '../types.ts';
import { useClient } from './provider.ts';
import { useStore } from './use-store.ts';

const idle: ConnectionStatus = { state: 'idle', since: 0 };
const noChats: ChatListSnapshot = { items: [], hasMore: false, loading: true };
const nothingUnread: UnreadTotal = { chats: 0, mentions: 0 };
const nobody: ReadonlyMap<string, UserPresence> = new Map();

/** Whether all is live, since when it is not, and why. */
export const useConnection = (): ConnectionStatus => useStore(useClient().status, undefined, () => idle);

/** Oneself. */
export const useUser = (): User | undefined => useStore(useClient().user, undefined, () => undefined);

export type ChatsState = ChatListSnapshot & Pick<ChatList, 'loadMore'>;

export function useChats(): ChatsState {
  const { chats } = useClient();
  const list = useStore(chats, undefined, () => noChats);
  return useMemo(() => ({ ...list, loadMore: chats.loadMore }), [list, chats]);
}

export const useUnread = (): UnreadTotal => useStore(useClient().unread, undefined, () => nothingUnread);

/** Of these users, by id: asked for while this is mounted. */
export function usePresence(userIds: readonly string[]): ReadonlyMap<string, UserPresence> {
  const { presence } = useClient();
  // The array may be another one at each render.
  const ids = userIds.join();
  const watched = useMemo(() => presence.watch(ids.split(',').filter(Boolean)), [presence, ids]);
  return useStore(watched, undefined, () => nobody);
}
