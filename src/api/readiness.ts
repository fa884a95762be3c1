import type { Database } from '../db/database.ts';
import type { Dependency } from './routes/health.ts';

export interface ReadinessParts {
  /** No process does its job without it. */
  database: Database;
  queue?: Omit<Dependency, 'name'>;
  /** Undefined where nothing outside the process keeps them. */
  hints: Dependency['check'] | undefined;
  /** Whether the other processes are set up as this one; undefined where there are none. */
  peers: Dependency['check'] | undefined;
  gateway?: Dependency['check'];
}

/** What `/readyz` of a process names. */
export function readinessOf({ database, queue, hints, peers, gateway }: ReadinessParts): Dependency[] {
  const answers = async () => {
    await database.query('SELECT 1', []);
    return true;
  };
  return [
    { name: 'database', required: true, check: answers },
    ...(queue ? [{ name: 'queue', ...queue }] : []),
    ...(hints ? [{ name: 'redis', required: false, check: hints }] : []),
    ...(peers ? [{ name: 'peers', required: false, check: peers }] : []),
    ...(gateway ? [{ name: 'gateway', required: true, check: gateway }] : []),
  ];
}
