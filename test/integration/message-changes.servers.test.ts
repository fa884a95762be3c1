import { realBase } from '../support/api-bases.ts';
import { openChatApi, serviceToken } from '../support/chat-api.ts';
import { messageChangesSuite } from './message-changes.ts';
import { rightsSuite } from './rights.ts';

const { database, facts } = await realBase();
const open = () => openChatApi({ database, facts, editWindowSeconds: 3_600, serviceTokens: [serviceToken] });
messageChangesSuite('PostgreSQL and Redis', open);
rightsSuite('PostgreSQL and Redis', open);
