import { twoEnds } from '../support/two-ends.ts';
import { gatewaySuite } from './gateway-suite.ts';

gatewaySuite('two on PostgreSQL and Redis', await twoEnds());
