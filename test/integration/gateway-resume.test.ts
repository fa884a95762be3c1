import { embeddedBase } from '../support/api-bases.ts';
import { gatewayResumeSuite } from './gateway-resume-suite.ts';

const base = await embeddedBase();
for (const transports of [['websocket'], ['polling', 'websocket']] as const) {
  gatewayResumeSuite(`embedded, ${transports.join(', then ')}`, { ...base, ends: [base] }, transports);
}
