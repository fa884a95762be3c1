import { pause } from '../shared/backoff.ts';
import type { Connection } from './connection.ts';
import { Probe } from './probe.ts';

const sliceMs = 100;
/** So few come back anywhere without being noticed. */
const smallestSlice = 50;

/** Closes all transports, in slices of random connections with some jitter between them. */
export async function closeInSlices(connections: ReadonlySet<Connection>, overMs: number): Promise<void> {
  const slice = Math.max(smallestSlice, Math.ceil((connections.size * sliceMs) / Math.max(overMs, sliceMs)));
  while (connections.size > 0) {
    // Probes end after their sessions.
    const sessions = [...connections].filter((connection) => !(connection instanceof Probe));
    for (const session of sample(sessions, slice)) session.close('drain');
    if (connections.size > 0) await pause(sliceMs * (0.5 + Math.random()));
  }
}
/** Shuffles the beginning of the list. */
function sample<Item>(items: Item[], count: number): Item[] {
  for (let at = 0; at < Math.min(count, items.length); at += 1) {
    const other = at + Math.floor(Math.random() * (items.length - at));
    const [one, two] = [items[at], items[other]];
    if (one !== undefined && two !== undefined) [items[at], items[other]] = [two, one];
  }
  return items.slice(0, count);
}
