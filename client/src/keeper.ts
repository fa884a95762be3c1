import type { User } from './contract.ts';
import { type ChatState, foldChat, noChat } from './state/chat.ts';
import type { ChatsState } from './state/chats.ts';
import { type Held, hold } from './state/held.ts';
import { windowLimits } from './state/messages.ts';
import type { ChatItem, KeyValueStorage } from './types.ts';

/** A chat as it is kept: all of it as of its `eventSequence`, which is where a connect goes on. */
interface KeptChat {
  item: ChatItem;
  window?: readonly Held[];
}

/** What is kept of the rest: written after the chats that it covers. */
interface KeptHead {
  user: User;
  membershipsSince: number | undefined;
  listed: ChatsState['listed'];
}

/** Of the newest activity. */
const mostChats = 1_000;

export interface Keeper {
  /** Something of these chats has changed. */
  note(chatIds: Iterable<string>): void;
  restore(state: ChatsState): Promise<{ state: ChatsState; user: User } | undefined>;
  flush(): Promise<void>;
  forget(): void;
}

export function createKeeper(deps: {
  storage: () => KeyValueStorage | undefined;
  /** One tab writes. */
  leads: () => boolean;
  state: () => ChatsState;
  user: () => User | undefined;
}): Keeper {
  const dirty = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    const storage = deps.storage();
    const [state, user] = [deps.state(), deps.user()];
    if (!storage || !user || !deps.leads()) return;
    const newest = state.chats.size > mostChats ? newestOf(state) : undefined;
    const chatIds = [...dirty];
    dirty.clear();
    let all = true;
    for (const chatId of chatIds) {
      const chat = state.chats.get(chatId);
      const kept = chat && (!newest || newest.has(chatId)) ? keptOf(chat) : undefined;
      try {
        await (kept ? storage.set(`chat/${chatId}`, JSON.stringify(kept)) : storage.delete(`chat/${chatId}`));
      } catch {
        // What is there stays good: it has its own cursor.
        all = false;
        dirty.add(chatId);
      }
    }
    const { membershipsSince, listed } = state;
    const head: KeptHead = { user, membershipsSince, listed };
    if (all) await storage.set('head', JSON.stringify(head)).catch(() => {});
  }

  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.then(write).catch(() => {});
    return writing;
  };

  return {
    note(chatIds) {
      for (const chatId of chatIds) dirty.add(chatId);
      timer ??= setTimeout(flush, 1_000);
    },
    flush,
    async restore(state) {
      const storage = deps.storage();
      const text = await storage?.get('head');
      if (!storage || text === undefined) return undefined;
      const { user, membershipsSince, listed } = JSON.parse(text) as KeptHead;
      const chats = new Map(state.chats);
      for (const key of await storage.keys('chat/')) {
        const kept = await storage.get(key);
        if (kept === undefined) continue;
        const chat = restored(JSON.parse(kept) as KeptChat, user.id);
        chats.set(chat.id, chat);
      }
      return {
        state: { ...state, me: user.id, chats, membershipsSince, listed, stale: listed === undefined },
        user,
      };
    },
    forget() {
      clearTimeout(timer);
      timer = undefined;
      dirty.clear();
    },
  };
}

function keptOf({ item, stale, cursor, messages }: ChatState): KeptChat | undefined {
  if (!item || stale || cursor === undefined) return undefined;
  const { lastSequence } = item;
  // Its membership counts what was told since: as of here.
  const membership = {
    ...item.membership,
    lastSequence,
    eventSequence: Math.max(cursor, item.membership.eventSequence),
  };
  const isLatest = messages.window?.at(-1)?.message.sequence === lastSequence;
  const window = isLatest ? messages.window?.slice(-windowLimits.unseen) : undefined;
  return { item: { ...item, membership, eventSequence: cursor }, ...(window ? { window } : {}) };
}

function restored({ item, window }: KeptChat, me: string): ChatState {
  const chat = foldChat(noChat(item.id, me), { kind: 'chat', chat: item });
  const { lastMessage, eventSequence } = item;
  return {
    ...chat,
    last: lastMessage ? hold(lastMessage, eventSequence) : undefined,
    messages: { ...chat.messages, window },
  };
}

function newestOf({ chats }: ChatsState): ReadonlySet<string> {
  const all = [...chats.values()].flatMap(({ item }) => item ?? []);
  const byActivity = all.sort((a, b) => (a.lastActivityAt < b.lastActivityAt ? 1 : -1));
  return new Set(byActivity.slice(0, mostChats).map(({ id }) => id));
}

/** What a connect says of what is known: chats heard of last are the last, and a thousand are enough. */
export function cursorsOf(state: ChatsState): Record<string, number> {
  const newest = newestOf(state);
  return Object.fromEntries(
    [...newest].reverse().flatMap((id) => {
      const cursor = state.chats.get(id)?.cursor;
      return cursor === undefined ? [] : [[id, cursor]];
    }),
  );
}
