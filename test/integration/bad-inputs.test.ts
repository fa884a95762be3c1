import { embeddedBase } from '../support/api-bases.ts';
import { badInputsSuite } from './bad-inputs.ts';

badInputsSuite('PGlite', await embeddedBase());
