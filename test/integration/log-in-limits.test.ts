import { createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { logInLimitsSuite } from './log-in-limits.ts';

logInLimitsSuite('PGlite and one process', await embeddedBase(), async (limits) =>
  createEmbeddedRateLimits(limits, createMetrics()),
);
