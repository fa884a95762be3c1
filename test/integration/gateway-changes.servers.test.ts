import { twoEnds } from '../support/two-ends.ts';
import { gatewayChangesSuite } from './gateway-changes-suite.ts';
import { gatewayChatsSuite } from './gateway-chats-suite.ts';

const base = await twoEnds();
for (const suite of [gatewayChangesSuite, gatewayChatsSuite]) suite('two on PostgreSQL and Redis', base);
