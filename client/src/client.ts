import { createPauses } from './backoff.ts';
import { createAsk, createTake } from './changes.ts';
import { createChat, type LiveChat } from './chat-handle.ts';
import { createConnection } from './connection.ts';
import type { Chat, ErrorCode, User } from './contract.ts';
import { createDrafts } from './drafts.ts';
import { createKeeper, cursorsOf } from './keeper.ts';
import { createLiveChats } from './live-chats.ts';
import { createOutbox, type OutboxTimes } from './outbox.ts';
import { createPresence } from './presence.ts';
import { createReader } from './reader.ts';
import { createRequests } from './request.ts';
import { createSession } from './session.ts';
import { chatIn, type ServerEvent } from './state/chats.ts';
import { browserStorage, preciousIn, storageOf } from './storage.ts';
import { createCell, storeOf } from './store.ts';
import { createTabs, type TabMessage } from './tabs.ts';
import { createTokens } from './tokens.ts';
import type { ClientOptions, ConfabClient, ConnectionState, ConnectionStatus } from './types.ts';
import { createUnreadTotal } from './unread-total.ts';

const defaultTimes: OutboxTimes = { unsavedMs: 30_000 };

/** @param times for tests */
export function createClient(options: ClientOptions, times = defaultTimes): ConfabClient {
  const url = options.url.replace(/\/+$/, '');
  const base = options.storage ?? browserStorage();
  const storage = () => storageOf(base, url, session.subject());
  const precious = () => preciousIn(storage(), keeper.makeRoom);

  /** How many want the connection. */
  let wanted = 0;
  const handles = new Map<string, LiveChat>();
  const status = createCell<ConnectionStatus>({ state: 'idle', since: Date.now() });
  const user = createCell<User | undefined>(undefined);
  const isReady = () => status.getSnapshot().state === 'ready';

  const live = createLiveChats(onChange);
  const { state, fold } = live;
  const pauses = createPauses();
  const tabs = createTabs(`confab ${url}`, onTab, base === undefined);
  const tokens = createTokens(options.getToken, tabs, restart);
  const requests = createRequests(url, tokens, pauses);
  const take = createTake(state, fold);
  const ask = createAsk(requests, take);
  const drafts = createDrafts(precious);
  const presence = createPresence(requests, isReady);
  const unread = createUnreadTotal({ requests, state, now: requests.serverNow });
  const keeper = createKeeper({ storage, leads: () => session.keeps(), state, user: user.getSnapshot });
  const reader = createReader({
    requests,
    pauses,
    fold,
    take,
    state,
    isRunning: isReady,
    onLoading(is) {
      live.isLoading(is);
      if (!is) void unread.ask();
    },
  });
  const outbox = createOutbox({
    requests,
    pauses,
    times,
    ask,
    storage: precious,
    onChange: ({ chatId }) => handles.get(chatId)?.refresh(),
    onStored(id, entry) {
      const subject = session.subject();
      if (subject) tabs.post({ kind: 'outbox', subject, id, entry });
    },
  });
  const connection = createConnection({
    url: (options.socketUrl ?? url).replace(/\/+$/, ''),
    transports: options.transports ?? ['websocket', 'polling'],
    tokens,
    onEvent,
    onStatus,
    known() {
      const { membershipsSince, listed } = state();
      // Until the list was read there is nothing to go on from.
      const isKnown = listed && membershipsSince !== undefined;
      const cursors = isKnown ? cursorsOf(state()) : {};
      fold({ kind: 'connects', cursors });
      return isKnown ? { cursors, membershipsSince } : {};
    },
  });
  const session = createSession({
    tabs,
    tokens,
    requests,
    pauses,
    connection,
    live,
    keeper,
    outbox,
    drafts,
    user,
    onStatus,
    onForget() {
      for (const part of [presence, unread, ...handles.values()]) part.forget();
    },
  });

  function onChange(changed?: readonly string[]): void {
    for (const id of changed ?? handles.keys()) {
      const { messages, last } = chatIn(state(), id);
      if (outbox.of(id).length > 0)
        for (const one of [...(messages.window ?? []), last])
          if (one?.message.senderId === state().me) outbox.saw(one.message);
      handles.get(id)?.refresh();
    }
    // What comes in the place of all is kept already, or somebody else's.
    keeper.note(changed ?? []);
    unread.refresh();
    reader.look();
  }

  function onEvent(told: ServerEvent): void {
    const { event, payload } = told;
    fold({ kind: 'told', ...told });
    if (event === 'chat.ready') becomeReady();
    else if (event === 'chat.message.failed') outbox.failed(payload);
    else if (event === 'chat.presence') presence.take([payload]);
    else if (event === 'user.updated') takeUser(payload.user);
    else if (event === 'chat.sync.reset') {
      for (const [id, chat] of handles) if ((payload.chatId ?? id) === id) chat.fill();
    } else handles.get((payload as { chatId?: string } | undefined)?.chatId ?? '')?.takeEvent(told);
  }

  function becomeReady(): void {
    onStatus('ready');
    pauses.wake();
    keeper.note([]);
    reader.look();
    void unread.ask();
    presence.askSoon();
    for (const chat of handles.values()) chat.fill();
  }

  function onStatus(next: ConnectionState, code?: ErrorCode): void {
    const before = status.getSnapshot();
    if (before.state === next && before.code === code) return;
    status.set({ state: next, ...(code && { code }), since: Date.now() });
    outbox.ready(next === 'ready');
    // Of what is not told of at the next connect everything is to be read, whatever is answered until then.
    if (before.state === 'ready') fold({ kind: 'connects', cursors: cursorsOf(state()) });
  }

  function onTab(message: TabMessage): void {
    if (message.kind === 'token') tokens.offer(message.token);
    else if (message.subject !== session.subject()) return;
    else if (message.kind === 'outbox') outbox.told(message.id, message.entry);
    else {
      tokens.forget();
      restart();
    }
  }

  function takeUser(given: User): void {
    if (given.id === state().me) user.set(given);
  }

  function restart(): void {
    session.stop();
    session.forget();
    if (wanted > 0) session.start();
  }

  return {
    status: storeOf(status),
    user: storeOf(user),
    unread: unread.store,
    presence: presence.store,
    chats: { ...live.list, loadMore: reader.loadMore },

    connect() {
      wanted += 1;
      const isRefused = status.getSnapshot().state === 'refused';
      if (session.isRunning() && !isRefused) return;
      session.stop();
      // Whoever signs in again has another one.
      if (isRefused) tokens.forget();
      session.start();
    },
    disconnect() {
      wanted = Math.max(0, wanted - 1);
      // Who comes back in the same tick, as StrictMode does, finds it as it was.
      setTimeout(() => {
        if (wanted === 0) session.stop();
      }, 0);
    },

    chat(chatId) {
      const known = handles.get(chatId);
      if (known) return known.handle;
      const chat = createChat({
        chatId,
        outbox,
        drafts,
        requests,
        pauses,
        isReady,
        take,
        ask,
        me: () => state().me,
        state: () => chatIn(state(), chatId),
        fold: (input) => fold({ kind: 'in', chatId, input }),
      });
      handles.set(chatId, chat);
      chat.refresh();
      return chat.handle;
    },

    async createChat(body) {
      const asked = state();
      const chat = await requests.once<Chat>('POST', '/chats', body);
      const { epoch } = chatIn(asked, chat.id);
      fold({ kind: 'in', chatId: chat.id, input: { kind: 'chat', chat, epoch } });
      return chat;
    },
    async updateMe(changes) {
      const me = await requests.patiently<User>('PATCH', '/users/me', changes);
      takeUser(me);
      return me;
    },
    async reset() {
      const [before, subject] = [storage(), session.subject()];
      if (subject) tabs.post({ kind: 'forgotten', subject });
      session.stop();
      session.forget();
      tokens.forget();
      // What is being written ends before.
      await keeper.flush();
      for (const key of (await before?.keys('')) ?? []) await before?.delete(key);
      if (wanted > 0) session.start();
    },
  };
}
