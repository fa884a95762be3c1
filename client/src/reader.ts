import { backoffMs, type Pauses } from './backoff.ts';
import type { Take } from './changes.ts';
import type { Chat, Page } from './contract.ts';
import { asError } from './error.ts';
import type { Requests } from './request.ts';
import { type ChatsInput, type ChatsState, chatIn } from './state/chats.ts';
import { createTurns, repeated } from './turns.ts';

const pageLimit = 50;
/** Chats that are read at the same time. */
const mostAtOnce = 4;
/** What is not sure again at once is read again after that. */
const leastMs = 1_000;

/** Reads by itself what has to be read: the list, and chats of which not all is known. */
export interface Reader {
  /** Looks whether there is something. */
  look(): void;
  loadMore(): Promise<void>;
}

export function createReader(deps: {
  requests: Requests;
  pauses: Pauses;
  state: () => ChatsState;
  fold: (input: ChatsInput) => void;
  take: Take;
  isRunning: () => boolean;
  onLoading: (is: boolean) => void;
}): Reader {
  const { requests, pauses, state, fold, take, isRunning } = deps;
  /** Of the list one page after the other is read. */
  const inTurn = createTurns(deps.onLoading);

  const page = (query: string) => requests.patiently<Page<Chat>>('GET', `/chats?limit=${pageLimit}${query}`);

  async function nextPage(first: boolean): Promise<void> {
    const asked = state();
    const cursor = first ? undefined : asked.listed?.nextCursor;
    const { data, nextCursor } = await page(cursor ? `&cursor=${encodeURIComponent(cursor)}` : '');
    fold({ kind: 'page', data, nextCursor, first, asked });
    if (state().epoch !== asked.epoch) await nextPage(first);
  }

  /** From its beginning, as far as it was read before. */
  async function readList(): Promise<void> {
    const asked = state();
    const down = asked.listed?.down;
    fold({ kind: 'pinned', data: (await page('&filter=pinned')).data, asked });
    for (let first = true; ; first = false) {
      await nextPage(first);
      const { listed } = state();
      if (!listed?.nextCursor || down === undefined || listed.down <= down) return;
    }
  }

  async function readChat(chatId: string): Promise<void> {
    const asked = chatIn(state(), chatId);
    try {
      await take(chatId, 'chat', requests.patiently('GET', `/chats/${chatId}`));
    } catch (cause) {
      if (asError(cause).code !== 'chat_not_found') throw cause;
      fold({ kind: 'in', chatId, input: { kind: 'gone', asked } });
    }
  }

  /** The list, which tells of most chats, and then those that are not sure yet. */
  const look = repeated(async () => {
    let read: readonly string[] = [];
    for (let failures = 0; isRunning(); ) {
      const chats = [...state().chats.values()].filter(({ stale }) => stale);
      if (!state().stale && chats.length === 0) return;
      try {
        if (state().stale) await inTurn(readList);
        else {
          const ids = chats.slice(0, mostAtOnce).map(({ id }) => id);
          if (ids.some((id) => read.includes(id))) await pauses.wait(leastMs);
          read = ids;
          await Promise.all(ids.map(readChat));
        }
        failures = 0;
      } catch {
        await pauses.wait(backoffMs(failures++));
      }
    }
  });

  return {
    look: () => void look(),
    loadMore: () =>
      inTurn(async () => {
        if (state().listed?.nextCursor !== null) await nextPage(!state().listed);
      }),
  };
}
