import { embeddedBase } from '../support/api-bases.ts';
import { gatewayPresenceSuite } from './gateway-presence-suite.ts';

const base = await embeddedBase();
gatewayPresenceSuite('embedded', { ...base, ends: [base] }, ['polling', 'websocket']);
