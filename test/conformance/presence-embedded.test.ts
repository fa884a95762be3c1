import { createEmbeddedPresence } from '../../src/shared/presence/embedded.ts';
import { presenceConformance } from './presence.ts';

presenceConformance('embedded', async () => ({ presence: createEmbeddedPresence(), close: async () => {} }));
