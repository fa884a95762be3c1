import { createEmbeddedFacts, createEmbeddedRateLimits } from '../../src/shared/admission/embedded.ts';
import { admissionConformance } from './admission.ts';

admissionConformance(
  'embedded',
  async (options) => createEmbeddedFacts(options),
  async (limits) => createEmbeddedRateLimits(limits),
);
