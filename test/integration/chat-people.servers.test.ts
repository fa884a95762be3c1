import { realBase } from '../support/api-bases.ts';
import { openChatApi } from '../support/chat-api.ts';
import { chatRolesSuite } from './chat-roles.ts';

const { database, facts } = await realBase();
chatRolesSuite('PostgreSQL and Redis', () => openChatApi({ database, facts }));
