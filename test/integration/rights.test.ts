import { embeddedBase } from '../support/api-bases.ts';
import { openChatApi } from '../support/chat-api.ts';
import { rightsSuite } from './rights.ts';

const { database, facts } = await embeddedBase();
rightsSuite('PGlite and this process', () => openChatApi({ database, facts }));
