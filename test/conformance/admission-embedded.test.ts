import { createEmbeddedFacts, createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import { admissionConformance } from './admission.ts';

admissionConformance(
  'embedded',
  async (options) => createEmbeddedFacts(options),
  async (limits) => createEmbeddedRateLimits(limits),
);
