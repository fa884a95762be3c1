import type { Dependency } from '../api/routes/health.ts';
import type { Database } from '../db/database.ts';

export interface ReadinessParts {
  database: Database;
  queue?: Omit<Dependency, 'name'>;
  /** Undefined where nothing outside the process keeps them. */
  hints: Dependency['check'] | undefined;
  /** Whether the other processes are set up as this one; undefined where there are none. */
  peers: Dependency['check'] | undefined;
  gateway?: Dependency['check'];
  /** Whether the process has been told to end. */
  leaving(): boolean;
}

/** What `/readyz` of a process looks at. */
export interface Readiness {
  dependencies: readonly Dependency[];
  leaving(): boolean;
}

export function readinessOf({ database, queue, hints, peers, gateway, leaving }: ReadinessParts): Readiness {
  const answers = async () => {
    await database.query('SELECT 1', []);
    return true;
  };
  return {
    dependencies: [
      { name: 'database', own: false, check: answers },
      ...(queue ? [{ name: 'queue', ...queue }] : []),
      ...(hints ? [{ name: 'redis', own: false, check: hints }] : []),
      ...(peers ? [{ name: 'peers', own: false, check: peers }] : []),
      ...(gateway ? [{ name: 'gateway', own: true, check: gateway }] : []),
    ],
    leaving,
  };
}
