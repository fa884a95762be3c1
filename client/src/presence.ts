import type { UserPresence } from './contract.ts';
import type { Requests } from './request.ts';
import { type Cell, createCell } from './store.ts';
import type { PresenceStore } from './types.ts';

const everyMs = 30_000;
const mostAsked = 100;

/** What the server says every 30 s of those who are on the screen, and events in between. */
export function createPresence(requests: Requests, isReady: () => boolean) {
  const known = new Map<string, UserPresence>();
  const watched = new Map<readonly string[], Cell<ReadonlyMap<string, UserPresence>>>();
  let timer: ReturnType<typeof setInterval> | undefined;
  let isAsking = false;

  function take(data: readonly UserPresence[]): void {
    for (const { userId, online, lastSeenAt } of data) {
      const before = known.get(userId);
      if (before?.online !== online || before.lastSeenAt !== lastSeenAt)
        known.set(userId, { userId, online, lastSeenAt });
    }
    for (const [userIds, cell] of watched) {
      const now = userIds.flatMap((userId) => known.get(userId) ?? []);
      const before = cell.getSnapshot();
      const same = now.length === before.size && now.every((one) => before.get(one.userId) === one);
      if (!same) cell.set(new Map(now.map((one) => [one.userId, one])));
    }
  }

  async function ask(): Promise<void> {
    const userIds = [...new Set([...watched].flatMap(([ids, cell]) => (cell.isWatched() ? ids : [])))];
    if (!isReady()) return;
    for (let from = 0; from < userIds.length; from += mostAsked) {
      const some = userIds.slice(from, from + mostAsked).join(',');
      const { data } = await requests.once<{ data: UserPresence[] }>('GET', `/presence?userIds=${some}`);
      take(data);
    }
  }

  /** Those who begin to be watched in one tick are asked of together. */
  function askSoon(): void {
    if (isAsking) return;
    isAsking = true;
    setTimeout(() => {
      isAsking = false;
      ask().catch(() => {});
    }, 0);
  }

  const store: PresenceStore = {
    watch(userIds) {
      const ids = [...userIds];
      const cell: Cell<ReadonlyMap<string, UserPresence>> = createCell(
        new Map(ids.flatMap((id) => (known.has(id) ? [[id, known.get(id) as UserPresence]] : []))),
        (isWatched) => {
          if (isWatched) watched.set(ids, cell);
          else watched.delete(ids);
          if (isWatched) {
            take([]);
            askSoon();
          }
          clearInterval(timer);
          timer = watched.size > 0 ? setInterval(() => ask().catch(() => {}), everyMs) : undefined;
        },
      );
      return { subscribe: cell.subscribe, getSnapshot: cell.getSnapshot };
    },
  };
  return { store, take, askSoon, forget: () => known.clear() };
}
