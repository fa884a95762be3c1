import { adapterConformance } from './adapter.ts';

adapterConformance("Socket.IO's own in memory", () => undefined);
