import { createChatRoutes } from '../../src/api/chat-routes.ts';

/** What is registered below `/chats`, to be looked at: its handlers have nothing to stand on. */
export const registeredChatRoutes = createChatRoutes({} as never)({ token: () => undefined } as never);
