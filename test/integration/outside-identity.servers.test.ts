import { realBase } from '../support/api-bases.ts';
import { outsideIdentitySuite } from './outside-identity.ts';

outsideIdentitySuite('PostgreSQL and Redis', await realBase());
