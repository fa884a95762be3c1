import { createEmbeddedPresence } from '../../src/adapters/embedded/presence.ts';
import { presenceConformance } from './presence.ts';

presenceConformance('embedded', async () => ({ presence: createEmbeddedPresence(), close: async () => {} }));
