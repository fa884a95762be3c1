import { embeddedBase } from '../support/api-bases.ts';
import { openChatApi, serviceToken } from '../support/chat-api.ts';
import { messageChangesSuite } from './message-changes.ts';
import { rightsSuite } from './rights.ts';

const { database, facts } = await embeddedBase();
const open = () => openChatApi({ database, facts, editWindowSeconds: 3_600, serviceTokens: [serviceToken] });
messageChangesSuite('PGlite and this process', open);
rightsSuite('PGlite and this process', open);
