import { embeddedBase } from '../support/api-bases.ts';
import { authSuite } from './auth.ts';

authSuite('PGlite', await embeddedBase());
