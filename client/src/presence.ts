import type { UserPresence } from './contract.ts';
import type { Requests } from './request.ts';
import { type Cell, createCell, isSame, storeOf } from './store.ts';
import type { PresenceStore } from './types.ts';

const everyMs = 30_000;
const mostAsked = 100;

type Presences = ReadonlyMap<string, UserPresence>;

/** What the server says every 30 s of those who are on the screen, and events in between. */
export function createPresence(requests: Requests, isReady: () => boolean) {
  const known = new Map<string, UserPresence>();
  const watched = new Map<readonly string[], Cell<Presences>>();
  let timer: ReturnType<typeof setInterval> | undefined;
  const wanted = new Set<string>();
  const allWatched = () => [...watched.keys()].flat();
  const knownOf = (userIds: readonly string[]): Presences =>
    new Map(userIds.flatMap((id) => known.get(id) ?? []).map((one) => [one.userId, one]));

  function take(data: readonly UserPresence[]): void {
    for (const { userId, online, lastSeenAt } of data) {
      const now = { userId, online, lastSeenAt };
      if (!isSame(now, known.get(userId))) known.set(userId, now);
    }
    for (const [userIds, cell] of watched) cell.set(knownOf(userIds));
  }

  async function ask(): Promise<void> {
    const userIds = [...wanted];
    wanted.clear();
    while (isReady() && userIds.length > 0) {
      const some = userIds.splice(0, mostAsked).join();
      take((await requests.once<{ data: UserPresence[] }>('GET', `/presence?userIds=${some}`)).data);
    }
  }

  /** Those who begin to be watched in one tick are asked of together. */
  function askSoon(userIds = allWatched()): void {
    if (wanted.size === 0) setTimeout(() => ask().catch(() => {}), 0);
    for (const userId of userIds) wanted.add(userId);
  }

  const store: PresenceStore = {
    watch(userIds) {
      const ids = [...userIds];
      const cell: Cell<Presences> = createCell(knownOf(ids), (isWatched) => {
        if (isWatched) {
          const asked = allWatched();
          watched.set(ids, cell);
          cell.set(knownOf(ids));
          askSoon(ids.filter((id) => !asked.includes(id)));
          timer ??= setInterval(askSoon, everyMs);
        } else if (watched.delete(ids) && watched.size === 0) {
          clearInterval(timer);
          timer = undefined;
        }
      });
      return storeOf(cell);
    },
  };
  return { store, take, askSoon: () => askSoon(), forget: () => known.clear() };
}
