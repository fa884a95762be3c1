import { twoEnds } from '../support/two-ends.ts';
import { gatewayResumeSuite } from './gateway-resume-suite.ts';

gatewayResumeSuite('two on PostgreSQL and Redis', await twoEnds());
