import { createEmbeddedQueue } from '../../src/adapters/embedded/queue.ts';
import { createLog } from '../../src/shared/log.ts';
import { migratedPglite } from '../support/pglite.ts';
import { forgedEnvelopes } from './forged-envelopes.ts';

forgedEnvelopes('embedded', async () => {
  const database = await migratedPglite();
  const queue = createEmbeddedQueue({ database, log: createLog({ logLevel: 'silent' }, 'test') });
  const { publish } = await queue.sendQueue();
  return { database, queue, put: (partition, body, id = '') => publish({ id, partition, body }) };
});
