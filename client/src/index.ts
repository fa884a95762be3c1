export { createClient } from './client.ts';
export type * from './contract.ts';
export { ConfabError } from './error.ts';
export { foldChat } from './state/chat.ts';
export { type ChatInput, type ChatState, noChat } from './state/chat-state.ts';
export { type ChatsInput, type ChatsState, foldChats, noChats } from './state/chats.ts';
export { local, memory } from './storage.ts';
export type * from './types.ts';
