import { embeddedBase } from '../support/api-bases.ts';
import { serviceAccessSuite } from './service-access.ts';

serviceAccessSuite('PGlite and this process', await embeddedBase());
