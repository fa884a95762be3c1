import type { LiveProcess, ProcessRegistry } from '../../shared/ports/registry.ts';

/** For what lives in this process alone. */
export function createLocalRegistry(): ProcessRegistry {
  const alive = new Map<string, LiveProcess>();
  return {
    async beat(self) {
      alive.set(self.id, self);
      return { live: [...alive.values()], databaseTime: Date.now() };
    },
    async leave(id) {
      alive.delete(id);
    },
  };
}
