import type { Message } from '../contract.ts';
import type { ChatsInput } from './chats.ts';

/** All messages that something has in it: what waits to be saved may be among them. */
export function messagesIn(input: ChatsInput): readonly Message[] {
  if (input.kind === 'told') {
    if (input.event === 'chat.created')
      return input.payload.chat.lastMessage ? [input.payload.chat.lastMessage] : [];
    return 'message' in input.payload ? [input.payload.message] : [];
  }
  if (input.kind === 'page' || input.kind === 'pinned')
    return input.data.flatMap(({ lastMessage }) => lastMessage ?? []);
  if (input.kind === 'connects') return [];
  const { input: own } = input;
  if (own.kind === 'page') return own.page.data;
  if (own.kind === 'message') return [own.message];
  return own.kind === 'chat' && own.chat.lastMessage ? [own.chat.lastMessage] : [];
}
