import { createChatRoutes } from '../../src/api/chat-routes.ts';
import { createLog } from '../../src/shared/log.ts';

const log = createLog({ logLevel: 'silent' }, 'test');

/** What is registered below `/chats`, to be looked at: its handlers have nothing to stand on. */
export const registeredChatRoutes = createChatRoutes({ log } as never)(
  { token: () => undefined } as never,
  () => () => {},
);
