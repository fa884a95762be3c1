import { createEmbeddedPresence } from '../../src/shared/presence/embedded.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { gatewaySuite } from './gateway-suite.ts';

const base = await embeddedBase();
gatewaySuite('embedded', {
  ...base,
  ends: [{ subscriber: base.subscriber, presence: createEmbeddedPresence() }],
});
