import { twoEnds } from '../support/two-ends.ts';
import { gatewayChangesSuite } from './gateway-changes-suite.ts';

gatewayChangesSuite('two on PostgreSQL and Redis', await twoEnds());
