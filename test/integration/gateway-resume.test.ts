import { createEmbeddedPresence } from '../../src/adapters/embedded/presence.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { gatewayResumeSuite } from './gateway-resume-suite.ts';

const base = await embeddedBase();
for (const transports of [['websocket'], ['polling', 'websocket']] as const) {
  const ends = [{ subscriber: base.subscriber, presence: createEmbeddedPresence() }];
  gatewayResumeSuite(`embedded, ${transports.join(', then ')}`, { ...base, ends }, transports);
}
