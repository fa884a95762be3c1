import type { Chat, Membership, MessagePage } from '../src/shared/contract.ts';
import type { Rest } from './rest.ts';

/** What a client reads by REST because its socket does not tell it, each until it is answered. */
export interface Reading {
  /** All chats that it takes part in now, each with its history. */
  list(): Promise<void>;
  /** With its history. */
  chat(chatId: string): void;
  /** From its first message: what was read before may have changed since. */
  history(chatId: string): void;
  /** Of the chat how far its user has read, and no more. */
  membership(chatId: string): void;
  underWay(): boolean;
}

const pageLimit = 100;
const retryMs = 700;
const historyRetryMs = 50;

type Wanted = Record<'chat' | 'history' | 'membership', boolean>;

export function createReading(options: {
  rest: Rest;
  token: () => Promise<string>;
  closed: () => boolean;
  takeChat: (chat: Chat) => void;
  takeMembership: (membership: Membership) => void;
  takePage: (chatId: string, page: MessagePage) => void;
}): Reading {
  const { rest, token, closed, takeChat, takeMembership, takePage } = options;
  /** Of each chat that is being read, what is still to be begun. */
  const wanted = new Map<string, Wanted>();
  let listing = false;

  function want(chatId: string, ...what: (keyof Wanted)[]): void {
    const known = wanted.get(chatId);
    const next = known ?? { chat: false, history: false, membership: false };
    for (const each of what) next[each] = true;
    if (known) return;
    wanted.set(chatId, next);
    void read(chatId, next);
  }

  /**
   * Once more what is asked for meanwhile. A 404 says that the client takes part no longer: when it was asked, and it may have heard
   * since that it was added again.
   */
  async function read(chatId: string, next: Wanted): Promise<void> {
    let after: number | undefined;
    while (!closed()) {
      if (next.chat || next.membership) {
        const { chat: whole } = next;
        Object.assign(next, { chat: false, membership: false });
        const { status, body } = await rest.chat(await token(), chatId);
        if (status === 404) {
          after = undefined;
          continue;
        }
        if (!body) {
          next[whole ? 'chat' : 'membership'] = true;
          await Bun.sleep(retryMs);
        } else if (whole) takeChat(body);
        else takeMembership(body.membership);
        continue;
      }
      if (next.history) after = 0;
      next.history = false;
      if (after === undefined) break;
      const { status, body } = await rest.history(await token(), chatId, `limit=${pageLimit}&after=${after}`);
      if (status === 404) after = undefined;
      else if (body) {
        takePage(chatId, body);
        after = body.page.hasAfter ? (body.data.at(-1)?.sequence ?? after) : undefined;
      } else await Bun.sleep(historyRetryMs);
    }
    wanted.delete(chatId);
  }

  return {
    async list() {
      if (listing) return;
      listing = true;
      try {
        let cursor: string | undefined;
        while (!closed()) {
          const { body } = await rest.chats(await token(), cursor);
          if (!body) {
            await Bun.sleep(retryMs);
            continue;
          }
          for (const { id } of body.data) want(id, 'chat', 'history');
          if (body.nextCursor === null) return;
          cursor = body.nextCursor;
        }
      } finally {
        listing = false;
      }
    },
    chat: (chatId) => want(chatId, 'chat', 'history'),
    history: (chatId) => want(chatId, 'history'),
    membership: (chatId) => want(chatId, 'membership'),
    underWay: () => listing || wanted.size > 0,
  };
}
