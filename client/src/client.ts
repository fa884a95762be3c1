import { backoffMs, createPauses } from './backoff.ts';
import { createChat, type LiveChat } from './chat-handle.ts';
import { subjectOf } from './claims.ts';
import { createConnection } from './connection.ts';
import type { Chat, ErrorCode, User } from './contract.ts';
import { createDrafts } from './drafts.ts';
import { createKeeper, cursorsOf } from './keeper.ts';
import { createOutbox, type OutboxTimes } from './outbox.ts';
import { createPresence } from './presence.ts';
import { createReader } from './reader.ts';
import { asError, createRequests } from './request.ts';
import {
  type ChatsInput,
  type ChatsState,
  chatIn,
  foldChats,
  noChats,
  type ServerEvent,
  withItems,
} from './state/chats.ts';
import { browserStorage, memory, within } from './storage.ts';
import { createCell } from './store.ts';
import { createTabs, type TabMessage } from './tabs.ts';
import { createTokens } from './tokens.ts';
import type {
  ChatListSnapshot,
  ClientOptions,
  ConfabClient,
  ConnectionState,
  ConnectionStatus,
  KeyValueStorage,
} from './types.ts';
import { createUnreadTotal } from './unread-total.ts';

const defaultTimes: OutboxTimes = { unsavedMs: 30_000 };

/** @param times for tests */
export function createClient(options: ClientOptions, times = defaultTimes): ConfabClient {
  const url = options.url.replace(/\/+$/, '');
  const kept = options.storage ?? browserStorage();
  const base = kept ?? memory();
  /** Whose what is known and kept is: as the token says it. */
  let subject: string | undefined;
  const storage = () => (subject === undefined ? undefined : within(base, `confab/1/${url}/${subject}/`));
  /** For what is nowhere else. */
  const precious = (): KeyValueStorage | undefined => {
    const all = storage();
    return (
      all && {
        ...all,
        set: (...of) => all.set(...of).catch(() => keeper.makeRoom().then(() => all.set(...of))),
      }
    );
  };

  /** How many want the connection, and which of its lives this is. */
  let [wanted, life, isRunning, keeps] = [0, 0, false, false];
  let state = noChats('');
  let giveUpLead = () => {};
  const handles = new Map<string, LiveChat>();

  const status = createCell<ConnectionStatus>({ state: 'idle', since: Date.now() });
  const user = createCell<User | undefined>(undefined);
  const list = createCell<ChatListSnapshot>({ items: [], hasMore: false, loading: false });
  let isListLoading = false;

  const pauses = createPauses();
  const tabs = createTabs(`confab ${url}`, onTab, kept === undefined);
  const tokens = createTokens(options.getToken, tabs, restart);
  const requests = createRequests(url, tokens, pauses);
  const isReady = () => status.getSnapshot().state === 'ready';
  const drafts = createDrafts(precious);
  const presence = createPresence(requests, isReady);
  const unread = createUnreadTotal({ requests, state: () => state, now: requests.serverNow });
  const keeper = createKeeper({ storage, leads: () => keeps, state: () => state, user: user.getSnapshot });
  const reader = createReader({
    ...{ requests, pauses, fold, state: () => state },
    isRunning: isReady,
    onLoading(is) {
      isListLoading = is;
      refreshList();
      if (!is) unread.ask().catch(() => {});
    },
  });
  const outbox = createOutbox({
    ...{ requests, pauses, times },
    storage: precious,
    onChange: ({ chatId }) => handles.get(chatId)?.refresh(),
    onStored: (clientMessageId) => subject && tabs.post({ kind: 'outbox', subject, clientMessageId }),
    asks(chatId) {
      const { cursor: at = 0, epoch } = chatIn(state, chatId);
      return (message) => {
        fold({ kind: 'in', chatId, input: { kind: 'message', message, at, epoch } });
        outbox.saw(message);
      };
    },
  });
  const connection = createConnection({
    url: (options.socketUrl ?? url).replace(/\/+$/, ''),
    transports: options.transports ?? ['websocket', 'polling'],
    ...{ tokens, onEvent, onStatus: setStatus },
    known() {
      const { membershipsSince, listed } = state;
      // Until the list was read there is nothing to go on from.
      const isKnown = listed !== undefined && membershipsSince !== undefined;
      const cursors = isKnown ? cursorsOf(state) : {};
      fold({ kind: 'connects', cursors });
      return isKnown ? { cursors, membershipsSince } : {};
    },
  });

  /** The one way in for everything that is told, read or answered. */
  function fold(input: ChatsInput): void {
    const before = state;
    state = foldChats(state, input);
    if (state === before) return;
    tellChanged(before.chats);
    reader.look();
  }

  function tellChanged(before: typeof state.chats): void {
    if (state.chats !== before) {
      const changed = [...state.chats.keys()].filter((id) => state.chats.get(id) !== before.get(id));
      for (const id of changed) {
        const { messages, last } = chatIn(state, id);
        const held = outbox.of(id).length > 0 ? [...(messages.window ?? []), last] : [];
        for (const one of held) if (one?.message.senderId === state.me) outbox.saw(one.message);
        handles.get(id)?.refresh();
      }
      keeper.note(changed);
      unread.refresh();
    }
    refreshList();
  }

  function refreshList(): void {
    const before = list.getSnapshot();
    const next = { items: state.items, hasMore: !!state.listed?.nextCursor, loading: isListLoading };
    const same = next.items === before.items && next.hasMore === before.hasMore;
    if (!same || next.loading !== before.loading) list.set(next);
  }

  function onEvent(told: ServerEvent): void {
    const { event, payload } = told;
    fold({ kind: 'told', ...told });
    if (event === 'chat.ready') becomeReady();
    else if (event === 'chat.message.failed') outbox.failed(payload);
    else if (event === 'chat.presence') presence.take([payload]);
    else if (event === 'user.updated') {
      takeUser(payload.user);
    } else if (event === 'chat.sync.reset') {
      for (const [id, chat] of handles)
        if (payload.chatId === undefined || payload.chatId === id) chat.fill();
    } else handles.get((payload as { chatId?: string } | undefined)?.chatId ?? '')?.takeEvent(told);
  }

  function becomeReady(): void {
    setStatus('ready');
    pauses.wake();
    keeper.note([]);
    reader.look();
    unread.ask().catch(() => {});
    presence.askSoon();
    for (const chat of handles.values()) chat.fill();
  }

  function setStatus(next: ConnectionState, code?: ErrorCode): void {
    const { state: before, code: codeBefore } = status.getSnapshot();
    if (before === next && codeBefore === code) return;
    status.set({ state: next, ...(code ? { code } : {}), since: Date.now() });
    outbox.ready(next === 'ready');
    // Of what is not told of at the next connect everything is to be read, whatever is answered until then.
    if (before === 'ready') fold({ kind: 'connects', cursors: cursorsOf(state) });
  }

  function onTab(message: TabMessage): void {
    if (message.kind === 'token') tokens.offer(message.token);
    else if (message.subject !== subject) return;
    else if (message.kind === 'outbox') void outbox.restore(message.clientMessageId);
    else {
      tokens.forget();
      restart();
    }
  }

  /** Until it is done, or this life is over; refused where somebody has to sign in. */
  async function untilDone<Result>(
    of: number,
    task: () => Promise<Result | undefined>,
  ): Promise<Result | undefined> {
    for (let failures = 0; life === of; ) {
      try {
        const result = await task();
        if (life !== of) return undefined;
        if (result === undefined) setStatus('refused', 'token_missing');
        return result;
      } catch (cause) {
        if (life !== of) return undefined;
        const { code, status: answered, retryAfterMs } = asError(cause);
        if (answered === 401 && code !== 'offline') {
          setStatus('refused', code);
          return undefined;
        }
        setStatus('offline');
        await pauses.wait(backoffMs(failures++), retryAfterMs);
      }
    }
    return undefined;
  }

  async function start(): Promise<void> {
    const own = ++life;
    isRunning = true;
    setStatus('connecting');
    globalThis.addEventListener?.('online', onOnline);
    const token = await untilDone(own, () => tokens.get());
    if (token === undefined) return;
    await open(subjectOf(token) ?? 'somebody');
    if (life !== own) return;
    if (!user.getSnapshot()) {
      const me = await untilDone(own, () => requests.once<User>('GET', '/auth/me'));
      if (!me) return;
      setUser(me);
    }
    giveUpLead = tabs.lead(`sends for ${subject}`, () => {
      keeps = true;
      outbox.lead(true);
      void outbox.restore();
    });
    connection.open();
  }

  function setUser(me: User): void {
    if (state.me !== me.id) replace(noChats(me.id));
    user.set(me);
  }
  const takeUser = (given: User): void => {
    if (given.id === state.me) user.set(given);
  };

  /** By what is known of another user, or kept of this one. */
  function replace(next: ChatsState): void {
    state = withItems(next);
    for (const chat of handles.values()) chat.refresh();
    unread.refresh();
    refreshList();
  }

  /** What is kept of whose token it is. */
  async function open(next: string): Promise<void> {
    if (subject === next) return;
    if (subject !== undefined) forget();
    subject = next;
    const restored = await keeper.restore(noChats('')).catch(() => undefined);
    if (subject !== next) return;
    if (restored) {
      replace(restored.state);
      user.set(restored.user);
    }
    await Promise.all([drafts.restore(), outbox.restore()]).catch(() => {});
  }

  function stop(): void {
    const ended = ++life;
    isRunning = false;
    connection.close();
    reader.stop();
    outbox.lead(false);
    setStatus('idle');
    globalThis.removeEventListener?.('online', onOnline);
    const release = giveUpLead;
    giveUpLead = () => {};
    void Promise.all([keeper.flush(), drafts.flush()]).then(() => {
      release();
      if (life === ended) keeps = false;
    });
  }

  function forget(): void {
    for (const part of [keeper, outbox, drafts, presence, unread]) part.forget();
    subject = undefined;
    user.set(undefined);
    for (const chat of handles.values()) chat.forget();
    replace(noChats(''));
  }

  function restart(): void {
    if (isRunning) stop();
    forget();
    if (wanted > 0) void start();
  }

  function onOnline(): void {
    pauses.wake();
    connection.retry();
  }

  return {
    status: { subscribe: status.subscribe, getSnapshot: status.getSnapshot },
    user: { subscribe: user.subscribe, getSnapshot: user.getSnapshot },
    unread: unread.store,
    presence: presence.store,
    chats: { subscribe: list.subscribe, getSnapshot: list.getSnapshot, loadMore: reader.loadMore },

    connect() {
      wanted += 1;
      const isRefused = status.getSnapshot().state === 'refused';
      if (isRunning && !isRefused) return;
      if (isRunning) stop();
      // Whoever signs in again has another one.
      if (isRefused) tokens.forget();
      void start();
    },
    disconnect() {
      wanted = Math.max(0, wanted - 1);
      // Who comes back in the same tick, as StrictMode does, finds it as it was.
      setTimeout(() => {
        if (wanted === 0 && isRunning) stop();
      }, 0);
    },

    chat(chatId) {
      const known = handles.get(chatId);
      if (known) return known.handle;
      const chat = createChat({
        ...{ chatId, outbox, drafts, requests, pauses, isReady },
        me: () => state.me,
        state: () => chatIn(state, chatId),
        fold: (input) => fold({ kind: 'in', chatId, input }),
      });
      handles.set(chatId, chat);
      chat.refresh();
      return chat.handle;
    },

    async createChat(chat) {
      const asked = state;
      const made = await requests.once<Chat>('POST', '/chats', chat);
      const { epoch } = chatIn(asked, made.id);
      fold({ kind: 'in', chatId: made.id, input: { kind: 'chat', chat: made, epoch } });
      return made;
    },
    async updateMe(changes) {
      const me = await requests.patiently<User>('PATCH', '/users/me', changes);
      takeUser(me);
      return me;
    },
    async reset() {
      const before = storage();
      if (subject !== undefined) tabs.post({ kind: 'forgotten', subject });
      if (isRunning) stop();
      forget();
      tokens.forget();
      // What is being written ends before.
      await keeper.flush();
      for (const key of (await before?.keys('')) ?? []) await before?.delete(key);
      if (wanted > 0 && !isRunning) void start();
    },
  };
}
