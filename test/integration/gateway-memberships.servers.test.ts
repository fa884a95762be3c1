import { twoEnds } from '../support/two-ends.ts';
import { gatewayMembershipsSuite } from './gateway-memberships-suite.ts';

gatewayMembershipsSuite('two on PostgreSQL and Redis', await twoEnds());
