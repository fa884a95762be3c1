import { embeddedBase } from '../support/api-bases.ts';
import { gatewayMembershipsSuite } from './gateway-memberships-suite.ts';

const base = await embeddedBase();
for (const transports of [['websocket'], ['polling', 'websocket']] as const) {
  gatewayMembershipsSuite(`embedded, ${transports.join(', then ')}`, { ...base, ends: [base] }, transports);
}
