import { afterAll } from 'bun:test';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPglite } from '../../src/db/pglite.ts';
import { createEmbeddedFacts } from '../../src/shared/admission/embedded.ts';
import { openChatApi } from '../support/chat-api.ts';
import { chatsSuite } from './chats.ts';

let database: Database | undefined;
afterAll(() => database?.close());

chatsSuite('PGlite and this process', async () => {
  database = await openPglite();
  await migrate(database);
  return openChatApi({ database, facts: createEmbeddedFacts() });
});
