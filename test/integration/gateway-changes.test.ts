import { embeddedBase } from '../support/api-bases.ts';
import { gatewayChangesSuite } from './gateway-changes-suite.ts';

const base = await embeddedBase();
gatewayChangesSuite('embedded', { ...base, ends: [base] });
