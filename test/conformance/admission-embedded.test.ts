import { createEmbeddedFacts, createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { admissionConformance } from './admission.ts';

admissionConformance(
  'embedded',
  async (options) => createEmbeddedFacts(options),
  async (limits) => createEmbeddedRateLimits(limits, createMetrics()),
);
