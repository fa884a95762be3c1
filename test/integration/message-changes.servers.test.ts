import { realBase } from '../support/api-bases.ts';
import { openChatApi } from '../support/chat-api.ts';
import { messageChangesSuite } from './message-changes.ts';

const { database, facts } = await realBase();
messageChangesSuite('PostgreSQL and Redis', () => openChatApi({ database, facts, editWindowSeconds: 3_600 }));
