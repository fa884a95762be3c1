/** One chat. What a hook returns is another object only when something in it is; its verbs are the same for good. */

import { useEffect, useMemo } from 'react';
import type { Membership } from '../contract.ts';
import type { ChatHandle, ChatItem, MessageList, MessageListSnapshot } from '../types.ts';
import { useClient } from './provider.ts';
import { useStore } from './use-store.ts';

const noMessages: MessageListSnapshot = { items: [], hasBefore: false, hasAfter: false, loading: true };
const nobody: readonly string[] = [];
const unknown = () => undefined;

export interface ChatState extends Omit<ChatHandle, 'info' | 'membership'> {
  readonly chat: ChatItem | undefined;
  readonly membership: Membership | undefined;
}

/** The chat, one's own membership, all verbs; and, for {@link useStore}, the stores that have no hook of their own. */
export function useChat(chatId: string): ChatState {
  const handle = useClient().chat(chatId);
  const chat = useStore(handle.info, undefined, unknown);
  const membership = useStore(handle.membership, undefined, unknown);
  return useMemo(() => ({ ...handle, chat, membership }), [handle, chat, membership]);
}

export type MessagesState = MessageListSnapshot & Omit<MessageList, 'subscribe' | 'getSnapshot'>;

/** @param markRead what is loaded counts as read, as soon as the page can be seen */
export function useMessages(
  chatId: string,
  { markRead = false }: { markRead?: boolean } = {},
): MessagesState {
  const { messages, markRead: read } = useClient().chat(chatId);
  const list = useStore(messages, undefined, () => noMessages);
  const last = markRead ? list.items.findLast(({ sequence }) => sequence)?.sequence : undefined;
  useEffect(() => {
    if (last === undefined) return;
    return whenVisible(() => read(last));
  }, [read, last]);
  return useMemo(() => {
    const { loadBefore, loadAfter, jumpTo, jumpToLatest } = messages;
    return { ...list, loadBefore, loadAfter, jumpTo, jumpToLatest };
  }, [list, messages]);
}

/** Calls once, so that what is marked as unread afterwards stays so. */
function whenVisible(call: () => void): (() => void) | undefined {
  // There is none in React Native.
  const { document } = globalThis as { document?: Page };
  if (!document?.hidden) return void call();
  document.addEventListener('visibilitychange', call, { once: true });
  return () => document.removeEventListener('visibilitychange', call);
}

type Page = EventTarget & { hidden: boolean };

export interface Typing {
  /** The others who type now. */
  readonly userIds: readonly string[];
  /** At each key. */
  keystroke(): void;
  /** Where the text is given up. A message that is sent, and the end of this component, say it by themselves. */
  stop(): void;
}

export function useTyping(chatId: string): Typing {
  const { typing, keystroke, stopTyping: stop } = useClient().chat(chatId);
  const userIds = useStore(typing, undefined, () => nobody);
  useEffect(() => stop, [stop]);
  return useMemo(() => ({ userIds, keystroke, stop }), [userIds, keystroke, stop]);
}

/** Renders nothing again. */
export const useSend = (chatId: string): ChatHandle['send'] => useClient().chat(chatId).send;
