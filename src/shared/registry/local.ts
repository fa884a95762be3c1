import type { WorkerRegistry } from './registry.ts';

/** For workers that live in this process alone. */
export function createLocalRegistry(): WorkerRegistry {
  const alive = new Set<string>();
  return {
    async beat(workerId) {
      alive.add(workerId);
      return [...alive];
    },
    async leave(workerId) {
      alive.delete(workerId);
    },
  };
}
