import { createLocalRegistry } from '../../src/adapters/embedded/registry.ts';
import { kinds } from '../../src/changes/kinds.ts';
import { createMembership, type Membership } from '../../src/process/membership.ts';
import { createEnvelopeCodec } from '../../src/shared/envelope-codec.ts';
import { createLog } from '../../src/shared/log.ts';
import type { ProcessRegistry } from '../../src/shared/ports/registry.ts';

/** What api and worker of one test sign and believe. */
export const testEnvelopes = createEnvelopeCodec('a key of these tests');

/** A process that says nothing of itself, among those of `registry`. */
export function testMembership(
  registry: ProcessRegistry = createLocalRegistry(),
  options: { id?: string; beatMs?: number } = {},
): Membership {
  const log = createLog({ logLevel: 'silent' }, 'test');
  return createMembership({
    ...{ registry, fingerprints: async () => ({}), kinds: Object.keys(kinds), log },
    ...options,
  });
}
