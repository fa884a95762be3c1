import { embeddedBase } from '../support/api-bases.ts';
import { gatewayAddedAgainSuite } from './gateway-added-again-suite.ts';
import { gatewaySuite } from './gateway-suite.ts';

const base = await embeddedBase();
for (const transports of [['websocket'], ['polling', 'websocket']] as const) {
  gatewaySuite(`embedded, ${transports.join(', then ')}`, { ...base, ends: [base] }, transports);
}
gatewayAddedAgainSuite('embedded', { ...base, ends: [base] });
