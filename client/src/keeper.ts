import type { User } from './contract.ts';
import { foldChat } from './state/chat.ts';
import { type ChatState, noChat } from './state/chat-state.ts';
import type { ChatsState } from './state/chats.ts';
import { type Held, hold } from './state/held.ts';
import { hasAfter, windowLimits } from './state/messages.ts';
import { createTimers } from './timers.ts';
import { createTurns } from './turns.ts';
import type { ChatItem, KeyValueStorage } from './types.ts';

/** A chat as it is kept: all of it as of its `eventSequence`, which is where a connect goes on. */
interface KeptChat {
  item: ChatItem;
  window?: readonly Held[] | undefined;
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
  const timers = createTimers();
  const inTurn = createTurns(() => {});

  /** Chats of the newest activity, as many as fit, and then what covers them. */
  async function write(): Promise<void> {
    const storage = deps.storage();
    const [state, user, leads, own] = [deps.state(), deps.user(), deps.leads(), life];
    if (!storage || !user) return;
    let [units, isWhole] = [0, leads];
    for (const chatId of new Set([...newestOf(state), ...dirty])) {
      const isDirty = leads && dirty.delete(chatId);
      const text = isDirty ? textOf(state.chats.get(chatId)) : '';
      const size = isDirty ? text.length : (sizes.get(chatId) ?? 0);
      units += size;
      const isKept = size > 0 && units <= budget;
      if (!isDirty && (isKept || size === 0)) continue;
      const key = `chat/${chatId}`;
      try {
        await (isKept ? storage.set(key, text) : storage.delete(key));
        if (own !== life) return;
        sizes.set(chatId, isKept ? size : 0);
      } catch {
        // What is there stays good: it has its own cursor.
        dirty.add(chatId);
        isWhole = false;
      }
    }
    const { membershipsSince, listed } = state;
    const chats = [...state.chats.values()].filter(({ item }) => item).length;
    const head: KeptHead = { user, membershipsSince, listed, chats };
    if (isWhole) await storage.set('head', JSON.stringify(head));
    else if (leads) shrink();
  }

  /** To half of what is kept. */
  function shrink(): void {
    budget =
      Math.min(
        budget,
        [...sizes.values()].reduce((all, one) => all + one, 0),
      ) / 2;
  }

  const flush = (): Promise<void> => {
    timers.clear();
    return inTurn(write).catch(() => {});
  };

  return {
    note(chatIds) {
      for (const chatId of chatIds) dirty.add(chatId);
      if (timers.keys().length === 0) timers.set(flush, 1_000);
    },
    flush,
    makeRoom() {
      shrink();
      return flush();
    },
    async restore(state) {
      const storage = deps.storage();
      const text = await storage?.get('head');
      if (!storage || text === undefined) return undefined;
      const head: KeptHead = JSON.parse(text);
      const { user, membershipsSince } = head;
      const chats = new Map(state.chats);
      for (const key of await storage.keys('chat/')) {
        const kept = (await storage.get(key)) ?? '';
        const chat = restored(JSON.parse(kept), user.id);
        chats.set(chat.id, chat);
        sizes.set(chat.id, kept.length);
      }
      const isWhole = chats.size === head.chats;
      const known = { ...state, me: user.id, chats, membershipsSince };
      const down = chats.get(newestOf(known).at(-1) ?? '')?.item?.lastActivityAt;
      // Of which some are missing is read as far down as the oldest that is not.
      const listed = head.listed && !isWhole && down ? { ...head.listed, down } : head.listed;
      return { state: { ...known, listed, stale: !isWhole || !listed }, user };
    },
    forget() {
      timers.clear();
      life += 1;
      dirty.clear();
      sizes.clear();
    },
  };
}

/** Empty: it is not sure, or gone. */
function textOf(chat: ChatState | undefined): string {
  if (!chat?.item || chat.stale || chat.cursor === undefined) return '';
  const { item, cursor, messages } = chat;
  const { lastSequence } = item;
  // Its membership counts what was told since: as of here.
  const eventSequence = Math.max(cursor, item.membership.eventSequence);
  const membership = { ...item.membership, lastSequence, eventSequence };
  const kept: KeptChat = { item: { ...item, membership, eventSequence: cursor } };
  const window = hasAfter(messages) ? undefined : messages.window?.slice(-windowLimits.unseen);
  return JSON.stringify({ ...kept, window });
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
