import { embeddedBase } from '../support/api-bases.ts';
import { jwksSuite, outsideIdentitySuite } from './outside-identity.ts';

const base = await embeddedBase();
outsideIdentitySuite('PGlite', base);
jwksSuite(base);
