import { realBase } from '../support/api-bases.ts';
import { serviceAccessSuite } from './service-access.ts';

serviceAccessSuite('PostgreSQL and Redis', await realBase());
