import { createEmbeddedRateLimits } from '../../src/shared/admission/embedded.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { logInLimitsSuite } from './log-in-limits.ts';

logInLimitsSuite('PGlite and one process', await embeddedBase(), async (limits) =>
  createEmbeddedRateLimits(limits),
);
