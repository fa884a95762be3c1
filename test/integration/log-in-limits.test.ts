import { createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { logInLimitsSuite } from './log-in-limits.ts';

logInLimitsSuite('PGlite and one process', await embeddedBase(), async (limits) =>
  createEmbeddedRateLimits(limits),
);
