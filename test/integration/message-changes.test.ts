import { embeddedBase } from '../support/api-bases.ts';
import { openChatApi } from '../support/chat-api.ts';
import { messageChangesSuite } from './message-changes.ts';

const { database, facts } = await embeddedBase();
messageChangesSuite('PGlite and this process', () =>
  openChatApi({ database, facts, editWindowSeconds: 3_600 }),
);
