import { embeddedBase } from '../support/api-bases.ts';
import { openChatApi } from '../support/chat-api.ts';
import { chatRolesSuite } from './chat-roles.ts';

const { database, facts } = await embeddedBase();
chatRolesSuite('PGlite and this process', () => openChatApi({ database, facts }));
