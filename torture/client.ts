import { io } from 'socket.io-client';
import type {
  Chat,
  ConnectErrorData,
  MessageEvent,
  MessageFailedEvent,
  ParticipantEvent,
  ReactionsEvent,
} from '../src/shared/contract.ts';
import { now } from './clock.ts';
import { type ClientRecord, reactionsText } from './history.ts';
import type { TortureChat } from './population.ts';
import type { Recorder } from './recorder.ts';
import type { Rest } from './rest.ts';

/** One tab: a plain client that keeps cursors, as the documentation tells people to write it, and records all it sees. */
export interface TortureClient {
  readonly name: string;
  readonly userId: string;
  connect(): void;
  /** The transport goes; the client comes back by itself. */
  dropTransport(): void;
  /** As a closed laptop. */
  disconnect(): void;
  connected(): boolean;
  ready(): boolean;
  /** Whether a history is still being read. */
  reading(): boolean;
  /** The highest number seen of each chat it takes part in. */
  cursors(): ReadonlyMap<string, number>;
  /** Reads the newest page of a chat. */
  readNewest(chatId: string): Promise<void>;
  close(): Promise<void>;
}

export interface ClientOptions {
  name: string;
  userId: string;
  url: string;
  /** A token for the next connection. */
  token: () => Promise<string>;
  restToken: () => Promise<string>;
  rest: Rest;
  recorder: Recorder;
  /** What it knows before it first connects. */
  chats: readonly TortureChat[];
  /** The longest pause before it connects again; socket.io-client's own otherwise. */
  reconnectionDelayMaxMs?: number;
}

const pageLimit = 100;
const retryMs = 700;
/** Among the ids of chats that are being read. */
const list = 'the list';

export function createClient(options: ClientOptions): TortureClient {
  const { name, userId, rest, recorder, reconnectionDelayMaxMs } = options;
  const records: ClientRecord[] = [];
  recorder.clients.push({ name, userId, records });
  const cursors = new Map<string, number>();
  /** Up to here every message of the chat was seen. */
  const contiguous = new Map<string, number>();
  const unread = new Set<string>();
  /** Of these what was read before may have changed since. */
  const stale = new Set<string>();
  let current: string | undefined;
  let ready = false;
  let closed = false;
  let again: ReturnType<typeof setTimeout> | undefined;

  const record = (entry: ClientRecord): void => {
    records.push(entry);
  };
  const see = (chatId: string, number: number): void => {
    cursors.set(chatId, Math.max(number, cursors.get(chatId) ?? 0));
  };
  const takeChat = (kind: 'created' | 'chat', { id, participants, eventSequence }: Chat): void => {
    const chatId = recorder.intern(id);
    const userIds = participants.map((participant) => recorder.intern(participant.userId));
    record({ kind, at: now(), chatId, number: eventSequence, userIds });
    see(chatId, eventSequence);
  };

  /** All chats that it takes part in now, each read whole. */
  async function readList(): Promise<void> {
    if (unread.has(list)) return;
    unread.add(list);
    try {
      let cursor: string | undefined;
      while (!closed) {
        const { body } = await rest.chats(await options.restToken(), cursor);
        if (!body) {
          await Bun.sleep(retryMs);
          continue;
        }
        for (const { id } of body.data) readAgain(recorder.intern(id), true);
        if (body.nextCursor === null) return;
        cursor = body.nextCursor;
      }
    } finally {
      unread.delete(list);
    }
  }

  function readAgain(chatId: string, withChat: boolean): void {
    stale.add(chatId);
    void readHistory(chatId, withChat);
  }

  /** From what it has that cannot have changed to the end, page by page, until it is answered; a 404 says that it takes part no longer. */
  async function readHistory(chatId: string, withChat: boolean): Promise<void> {
    if (unread.has(chatId)) return;
    unread.add(chatId);
    try {
      let chatRead = !withChat;
      let after = contiguous.get(chatId) ?? 0;
      while (!closed) {
        if (stale.delete(chatId)) after = 0;
        const token = await options.restToken();
        if (!chatRead) {
          const { status, body } = await rest.chat(token, chatId);
          if (status === 404) return;
          if (body) takeChat('chat', body);
          chatRead = body !== undefined;
        } else {
          const { status, body } = await rest.history(token, chatId, `limit=${pageLimit}&after=${after}`);
          if (status === 404) return;
          if (body) {
            takePage(chatId, body);
            after = body.data.at(-1)?.sequence ?? after;
            if (!body.page.hasAfter && !stale.has(chatId)) return;
            continue;
          }
        }
        if (!chatRead) await Bun.sleep(retryMs);
        else await Bun.sleep(50);
      }
    } finally {
      unread.delete(chatId);
    }
  }

  function takePage(
    chatId: string,
    { data, page }: { data: MessageEvent['message'][]; page: { eventSequence: number } },
  ) {
    const messages = data.map(recorder.seen);
    record({ kind: 'page', at: now(), chatId, number: page.eventSequence, messages });
    for (const { sequence } of messages) seenSequence(chatId, sequence);
  }
  function seenSequence(chatId: string, sequence: number): void {
    if (sequence === (contiguous.get(chatId) ?? 0) + 1) contiguous.set(chatId, sequence);
  }

  const socket = io(`${options.url}/chat`, {
    transports: ['websocket'],
    forceNew: true,
    autoConnect: false,
    timeout: 5_000,
    ...(reconnectionDelayMaxMs === undefined
      ? {}
      : { reconnectionDelay: reconnectionDelayMaxMs / 4, reconnectionDelayMax: reconnectionDelayMaxMs }),
    auth: async (give: (auth: object) => void) => {
      current ??= await options.token();
      record({ kind: 'connecting', at: now(), cursors: Object.fromEntries(cursors) });
      ready = false;
      give({ token: current, cursors: Object.fromEntries(cursors) });
    },
  });
  socket.on('connect', () => record({ kind: 'connected', at: now() }));
  socket.on('disconnect', (reason) => {
    ready = false;
    record({ kind: 'disconnected', at: now(), reason });
    // A plain client stays away after this one; the contract says it never happens.
    if (reason === 'io server disconnect') comeBack(retryMs);
  });
  socket.on('connect_error', (error) => {
    const code = (error as { data?: ConnectErrorData }).data?.code;
    // Without a code the transport failed: the client tries again by itself.
    if (code === undefined) return;
    record({ kind: 'refused', at: now(), code });
    if (code === 'token_expired') current = undefined;
    comeBack(code === 'token_expired' ? 0 : retryMs);
  });
  function comeBack(ms: number): void {
    clearTimeout(again);
    again = setTimeout(() => {
      if (!closed) socket.connect();
    }, ms);
  }

  const onMessage = (saved: boolean) => (event: MessageEvent) => {
    const chatId = recorder.intern(event.chatId);
    const message = recorder.seen(event.message);
    record({ kind: 'message', at: now(), saved, chatId, number: event.eventSequence, message });
    see(chatId, event.eventSequence);
    seenSequence(chatId, message.sequence);
  };
  const onChanged = (changed: 'updated' | 'deleted') => (event: MessageEvent) => {
    const chatId = recorder.intern(event.chatId);
    const message = recorder.seen(event.message);
    const number = event.eventSequence;
    record({ kind: 'message', at: now(), changed, saved: false, chatId, number, message });
    see(chatId, number);
  };
  const onReactions = (event: ReactionsEvent) => {
    const chatId = recorder.intern(event.chatId);
    const { eventSequence: number, sequence } = event;
    const reactions = recorder.intern(reactionsText(event.reactions));
    record({ kind: 'reactions', at: now(), chatId, number, sequence, reactions });
    see(chatId, number);
  };
  const onParticipant = (added: boolean) => (event: ParticipantEvent) => {
    const chatId = recorder.intern(event.chatId);
    const concerned = recorder.intern(event.participant.userId);
    record({ kind: 'participant', at: now(), added, chatId, number: event.eventSequence, userId: concerned });
    if (added || concerned !== userId) see(chatId, event.eventSequence);
    else cursors.delete(chatId);
  };
  socket.on('chat.message.new', onMessage(false));
  socket.on('chat.message.saved', onMessage(true));
  socket.on('chat.message.updated', onChanged('updated'));
  socket.on('chat.message.deleted', onChanged('deleted'));
  socket.on('chat.message.reactions', onReactions);
  socket.on('chat.participant.added', onParticipant(true));
  socket.on('chat.participant.removed', onParticipant(false));
  socket.on('chat.message.failed', ({ chatId, clientMessageId, code }: MessageFailedEvent) =>
    record({ kind: 'failed', at: now(), chatId, clientMessageId, code }),
  );
  socket.on('chat.created', ({ chat }: { chat: Chat }) => {
    takeChat('created', chat);
    if (chat.lastSequence > 0) readAgain(recorder.intern(chat.id), false);
  });
  socket.on('chat.sync.reset', ({ chatId, eventSequence }: { chatId?: string; eventSequence?: number }) => {
    record({
      kind: 'reset',
      at: now(),
      ...(chatId === undefined ? {} : { chatId }),
      ...(eventSequence === undefined ? {} : { number: eventSequence }),
    });
    if (chatId !== undefined) {
      readAgain(recorder.intern(chatId), true);
      return;
    }
    // Also those that it has not heard of.
    void readList();
    for (const each of cursors.keys()) readAgain(each, true);
  });
  socket.on('chat.ready', () => {
    ready = true;
    record({ kind: 'ready', at: now() });
  });

  for (const { created } of options.chats) takeChat('chat', created);

  return {
    name,
    userId,
    connect: () => socket.connect(),
    dropTransport: () => socket.io.engine?.close(),
    disconnect: () => socket.disconnect(),
    connected: () => socket.connected,
    ready: () => socket.connected && ready,
    reading: () => unread.size > 0,
    cursors: () => cursors,
    async readNewest(chatId) {
      const { body } = await rest.history(await options.restToken(), chatId, 'limit=20');
      if (body) takePage(chatId, body);
    },
    async close() {
      closed = true;
      clearTimeout(again);
      socket.disconnect();
      socket.io.engine?.close();
    },
  };
}
