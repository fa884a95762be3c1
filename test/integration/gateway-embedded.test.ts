import { createEmbeddedPresence } from '../../src/adapters/embedded/presence.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { gatewaySuite } from './gateway-suite.ts';

const base = await embeddedBase();
for (const transports of [['websocket'], ['polling', 'websocket']] as const) {
  const ends = [{ subscriber: base.subscriber, presence: createEmbeddedPresence() }];
  gatewaySuite(`embedded, ${transports.join(', then ')}`, { ...base, ends }, transports);
}
