import { realBase } from '../support/api-bases.ts';
import { authSuite } from './auth.ts';

authSuite('PostgreSQL and Redis', await realBase());
