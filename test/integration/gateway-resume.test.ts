import { createEmbeddedPresence } from '../../src/shared/presence/embedded.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { gatewayResumeSuite } from './gateway-resume-suite.ts';

const base = await embeddedBase();
gatewayResumeSuite('embedded', {
  ...base,
  ends: [{ subscriber: base.subscriber, presence: createEmbeddedPresence() }],
});
