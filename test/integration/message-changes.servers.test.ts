import { realBase } from '../support/api-bases.ts';
import { openChatApi } from '../support/chat-api.ts';
import { messageChangesSuite } from './message-changes.ts';
import { rightsSuite } from './rights.ts';

const { database, facts } = await realBase();
const open = () => openChatApi({ database, facts, editWindowSeconds: 3_600 });
messageChangesSuite('PostgreSQL and Redis', open);
rightsSuite('PostgreSQL and Redis', open);
