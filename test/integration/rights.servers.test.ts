import { realBase } from '../support/api-bases.ts';
import { openChatApi } from '../support/chat-api.ts';
import { rightsSuite } from './rights.ts';

const { database, facts } = await realBase();
rightsSuite('PostgreSQL and Redis', () => openChatApi({ database, facts }));
