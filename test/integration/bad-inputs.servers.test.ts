import { realBase } from '../support/api-bases.ts';
import { badInputsSuite } from './bad-inputs.ts';

badInputsSuite('PostgreSQL and Redis', await realBase());
