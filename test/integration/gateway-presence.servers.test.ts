import { twoEnds } from '../support/two-ends.ts';
import { gatewayPresenceSuite } from './gateway-presence-suite.ts';

gatewayPresenceSuite('two on PostgreSQL and Redis', await twoEnds());
