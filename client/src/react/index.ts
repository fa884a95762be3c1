export {
  type ChatState,
  type MessagesState,
  type Typing,
  useChat,
  useMessages,
  useSend,
  useTyping,
} from './chat.ts';
export { ConfabProvider, useClient } from './provider.ts';
export { useStore } from './use-store.ts';
export { type ChatsState, useChats, useConnection, usePresence, useUnread, useUser } from './user.ts';
