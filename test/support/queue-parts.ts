import { createLog } from '../../src/shared/log.ts';
import { createEnvelopeCodec } from '../../src/shared/queue/envelope-codec.ts';
import { createLocalRegistry } from '../../src/shared/registry/local.ts';
import { createMembership, type Membership } from '../../src/shared/registry/membership.ts';
import type { ProcessRegistry } from '../../src/shared/registry/registry.ts';

/** What api and worker of one test sign and believe. */
export const testEnvelopes = createEnvelopeCodec('a key of these tests');

/** A process that says nothing of itself, among those of `registry`. */
export function testMembership(
  registry: ProcessRegistry = createLocalRegistry(),
  options: { id?: string; beatMs?: number } = {},
): Membership {
  const log = createLog({ logLevel: 'silent' }, 'test');
  return createMembership({ registry, fingerprints: async () => ({}), log, ...options });
}
