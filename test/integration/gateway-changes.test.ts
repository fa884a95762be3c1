import { embeddedBase } from '../support/api-bases.ts';
import { gatewayChangesSuite } from './gateway-changes-suite.ts';
import { gatewayChatsSuite } from './gateway-chats-suite.ts';

const base = await embeddedBase();
for (const suite of [gatewayChangesSuite, gatewayChatsSuite]) suite('embedded', { ...base, ends: [base] });
