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
  /** So many chats there were: if not all of them are kept, the list is read. */
  chats: number;
}

/** Of cursors. */
const mostChats = 1_000;
/** Of all chats together, in UTF-16 units: some 40 % of a browser's `localStorage`, for what waits to be sent must have room. */
const mostUnits = 2_000_000;

export interface Keeper {
  /** Something of these chats has changed. */
  note(chatIds: Iterable<string>): void;
  restore(state: ChatsState): Promise<{ state: ChatsState; user: User } | undefined>;
  flush(): Promise<void>;
  /** The storage is full, and something else matters more: half of what is kept goes. */
  makeRoom(): Promise<void>;
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
  /** Of each chat that is kept, in UTF-16 units. */
  const sizes = new Map<string, number>();
  let [budget, life] = [mostUnits, 0];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    const storage = deps.storage();
    const [state, user, own] = [deps.state(), deps.user(), life];
    if (!storage || !user || !deps.leads()) return;
    const chatIds = [...dirty];
    dirty.clear();
    let all = true;
    for (const chatId of chatIds) {
      const chat = state.chats.get(chatId);
      const kept = chat && keptOf(chat);
      const text = kept ? JSON.stringify(kept) : '';
      try {
        await (kept ? storage.set(`chat/${chatId}`, text) : storage.delete(`chat/${chatId}`));
        if (own !== life) return;
        sizes.set(chatId, text.length);
      } catch {
        // What is there stays good: it has its own cursor.
        all = false;
        dirty.add(chatId);
      }
    }
    await (all ? fit() : makeRoom());
    const { membershipsSince, listed } = state;
    const chats = [...state.chats.values()].filter(({ item }) => item).length;
    const head: KeptHead = { user, membershipsSince, listed, chats };
    if (all && own === life) await storage.set('head', JSON.stringify(head)).catch(() => {});
  }

  /** Chats of the newest activity, as many as fit. */
  async function fit(): Promise<void> {
    if (unitsOf() <= budget) return;
    let units = 0;
    for (const chatId of newestOf(deps.state())) {
      const size = sizes.get(chatId) ?? 0;
      units += size;
      if (units <= budget || size === 0) continue;
      sizes.delete(chatId);
      await deps.storage()?.delete(`chat/${chatId}`);
    }
  }

  const unitsOf = (): number => [...sizes.values()].reduce((all, one) => all + one, 0);

  const makeRoom = (): Promise<void> => {
    budget = Math.min(budget, unitsOf()) / 2;
    return fit();
  };

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
    makeRoom,
    async restore(state) {
      const storage = deps.storage();
      const text = await storage?.get('head');
      if (!storage || text === undefined) return undefined;
      const head = JSON.parse(text) as KeptHead;
      const { user, membershipsSince } = head;
      const chats = new Map(state.chats);
      for (const key of await storage.keys('chat/')) {
        const kept = await storage.get(key);
        if (kept === undefined) continue;
        const chat = restored(JSON.parse(kept) as KeptChat, user.id);
        chats.set(chat.id, chat);
        sizes.set(chat.id, kept.length);
      }
      const isWhole = chats.size === head.chats;
      const known = { ...state, me: user.id, chats, membershipsSince };
      const down = chats.get(newestOf(known).at(-1) ?? '')?.item?.lastActivityAt;
      // Of which some are missing is read as far down as the oldest that is not.
      const listed = isWhole || !head.listed || !down ? head.listed : { ...head.listed, down };
      return { state: { ...known, listed, stale: !isWhole || listed === undefined }, user };
    },
    forget() {
      clearTimeout(timer);
      timer = undefined;
      life += 1;
      dirty.clear();
      sizes.clear();
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

function newestOf({ chats }: ChatsState): string[] {
  const all = [...chats.values()].flatMap(({ item }) => item ?? []);
  const byActivity = all.sort((a, b) => (a.lastActivityAt < b.lastActivityAt ? 1 : -1));
  return byActivity.map(({ id }) => id);
}

/** What a connect says of what is known: chats heard of last are the last, and a thousand are enough. */
export function cursorsOf(state: ChatsState): Record<string, number> {
  const newest = newestOf(state).slice(0, mostChats);
  return Object.fromEntries(
    newest.reverse().flatMap((id) => {
      const cursor = state.chats.get(id)?.cursor;
      return cursor === undefined ? [] : [[id, cursor]];
    }),
  );
}
