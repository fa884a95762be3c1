import { backoffMs, type Pauses } from './backoff.ts';
import type { Chat, Page } from './contract.ts';
import { asError, type Requests } from './request.ts';
import type { ChatsInput, ChatsState } from './state/chats.ts';

const pageLimit = 50;
/** Chats that are read at the same time. */
const mostAtOnce = 4;
/** A chat that is not sure again at once is read again after that. */
const leastMs = 1_000;

/** Reads by itself what has to be read: the list, and chats of which not all is known. */
export interface Reader {
  /** Looks whether there is something. */
  look(): void;
  loadMore(): Promise<void>;
  stop(): void;
}

export function createReader(deps: {
  requests: Requests;
  pauses: Pauses;
  state: () => ChatsState;
  fold: (input: ChatsInput) => void;
  isRunning: () => boolean;
  onLoading: (is: boolean) => void;
}): Reader {
  const { requests, pauses, state, fold, isRunning } = deps;
  const reading = new Set<string>();
  const rested = new Map<string, number>();
  let listing: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;

  const page = (query: string) => requests.patiently<Page<Chat>>('GET', `/chats?limit=${pageLimit}${query}`);

  async function nextPage(first: boolean): Promise<void> {
    const cursor = first ? undefined : state().listed?.nextCursor;
    const { data, nextCursor } = await page(cursor ? `&cursor=${encodeURIComponent(cursor)}` : '');
    fold({ kind: 'page', data, nextCursor, first });
  }

  /** From its beginning, as far as it was read before. */
  async function readList(): Promise<void> {
    const down = state().listed?.down;
    fold({ kind: 'pinned', data: (await page('&filter=pinned')).data });
    for (let first = true; ; first = false) {
      await nextPage(first);
      const { listed } = state();
      if (!listed?.nextCursor || down === undefined || listed.down <= down) return;
    }
  }

  /** One after the other. */
  function list(read: () => Promise<void>): Promise<void> {
    deps.onLoading(true);
    const next = (listing ?? Promise.resolve()).then(read);
    const own = next
      .catch(() => {})
      .then(() => {
        if (listing !== own) return;
        listing = undefined;
        deps.onLoading(false);
      });
    listing = own;
    return next;
  }

  async function readChat(chatId: string): Promise<void> {
    const epoch = state().chats.get(chatId)?.epoch ?? 0;
    try {
      const chat = await requests.patiently<Chat>('GET', `/chats/${chatId}`);
      fold({ kind: 'in', chatId, input: { kind: 'chat', chat, epoch } });
    } catch (cause) {
      if (asError(cause).status !== 404) throw cause;
      fold({ kind: 'in', chatId, input: { kind: 'gone' } });
    }
  }

  function look(): void {
    if (!isRunning() || timer !== undefined) return;
    if (state().stale) {
      if (!listing) list(readList).then(succeed, fail);
      // The list tells of most chats.
      return;
    }
    const now = performance.now();
    for (const { id, stale } of state().chats.values()) {
      if (reading.size >= mostAtOnce) return;
      if (!stale || reading.has(id)) continue;
      const restMs = (rested.get(id) ?? 0) - now;
      if (restMs > 0) {
        later(restMs);
        continue;
      }
      reading.add(id);
      rested.set(id, now + leastMs);
      readChat(id)
        .finally(() => reading.delete(id))
        .then(succeed, fail);
    }
  }

  const later = (ms: number): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      look();
    }, ms);
  };
  const succeed = (): void => {
    failures = 0;
    look();
  };
  const fail = (): void => {
    if (timer === undefined) later(backoffMs(failures++));
  };

  return {
    look,
    loadMore: () =>
      list(async () => (state().listed?.nextCursor === null ? undefined : nextPage(!state().listed))),
    stop() {
      clearTimeout(timer);
      timer = undefined;
      rested.clear();
      pauses.wake();
    },
  };
}
