import { twoEnds } from '../support/two-ends.ts';
import { gatewayAddedAgainSuite } from './gateway-added-again-suite.ts';
import { gatewaySuite } from './gateway-suite.ts';

const base = await twoEnds();
gatewaySuite('two on PostgreSQL and Redis', base);
gatewayAddedAgainSuite('two on PostgreSQL and Redis', base);
