import { embeddedBase } from '../support/api-bases.ts';
import { openChatApi } from '../support/chat-api.ts';
import { chatPeopleSuite } from './chat-people.ts';
import { chatRolesSuite } from './chat-roles.ts';
import { chatSettingsSuite } from './chat-settings.ts';

const { database, facts } = await embeddedBase();
const open = () => openChatApi({ database, facts, maxParticipants: 110 });
const name = 'PGlite and this process';
chatRolesSuite(name, open);
chatSettingsSuite(name, open);
chatPeopleSuite(name, open);
