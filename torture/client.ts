import { io } from 'socket.io-client';
import { countUnread, type Unread } from '../client/src/state/unread.ts';
import type {
  Chat,
  ChatUpdatedEvent,
  ConnectErrorData,
  Membership,
  MembershipEvent,
  MessageEvent,
  MessageFailedEvent,
  MessagePage,
  ParticipantEvent,
  ReactionsEvent,
  TypingEvent,
} from '../src/shared/contract.ts';
import { now } from './clock.ts';
import { type ClientRecord, leads, reactionsText, settingsText } from './history.ts';
import type { TortureChat } from './population.ts';
import { createReading } from './reading.ts';
import type { Recorder } from './recorder.ts';
import type { Answer, Rest } from './rest.ts';
import { createUnreadChats } from './unread.ts';

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
  /** Whether something is still being read by REST, or is to be. */
  reading(): boolean;
  /** The highest number seen of each chat it takes part in. */
  cursors(): ReadonlyMap<string, number>;
  unread(chatId: string): Readonly<Unread>;
  /** Everything up to this message; with a version, unless another device has changed something since. */
  markRead(chatId: string, sequence: number, version?: number): Promise<void>;
  /** This message, and what comes after it. */
  markUnread(chatId: string, sequence: number): Promise<void>;
  /** Begins to type, or stops. */
  type(chatId: string, typing: boolean): Promise<unknown>;
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

const retryMs = 700;
/** How often it looks whether it can still know what is unread. */
const lookEveryMs = 1_000;

export function createClient(options: ClientOptions): TortureClient {
  const { name, userId, rest, recorder, reconnectionDelayMaxMs } = options;
  const records: ClientRecord[] = [];
  recorder.clients.push({ name, userId, records });
  const cursors = new Map<string, number>();
  /** Of chats that its user was removed from, the number of that. */
  const left = new Map<string, number>();
  const unreadChats = createUnreadChats(userId);
  let current: string | undefined;
  let ready = false;
  let closed = false;
  let again: ReturnType<typeof setTimeout> | undefined;

  const record = (entry: ClientRecord): void => {
    records.push(entry);
    unreadChats.take(entry);
  };
  const see = (chatId: string, number: number): void => {
    // What is answered late may be of before it was removed.
    if (number > (left.get(chatId) ?? 0)) cursors.set(chatId, Math.max(number, cursors.get(chatId) ?? 0));
  };
  const takeChat = (kind: 'created' | 'chat', chat: Chat): void => {
    const { participants, eventSequence: number } = chat;
    const chatId = recorder.intern(chat.id);
    const idsOf = (some: Chat['participants']) => some.map((each) => recorder.intern(each.userId));
    const people = { userIds: idsOf(participants), leads: idsOf(participants.filter(leads)) };
    record({ kind, at: now(), chatId, number, ...people, settings: recorder.intern(settingsText(chat)) });
    see(chatId, number);
  };
  /** A process from before there were any says none. */
  const takeMembership = (membership: Membership | undefined): void => {
    if (membership) record({ kind: 'membership', at: now(), membership });
  };

  const takePage = (chatId: string, { data, page }: MessagePage): void => {
    const messages = data.map(recorder.seen);
    record({ kind: 'page', at: now(), chatId, number: page.eventSequence, messages });
  };
  const reading = createReading({
    ...{ rest, takeMembership, takePage, token: options.restToken },
    closed: () => closed,
    takeChat(chat) {
      takeChat('chat', chat);
      takeMembership(chat.membership);
    },
  });
  /** Chats of which only the server knows what is unread. */
  const unknown = (): string[] =>
    [...cursors.keys()].filter((chatId) => countUnread(unreadChats.of(chatId), userId).stale);
  const looking = setInterval(() => unknown().forEach(reading.membership), lookEveryMs);
  async function mark(asked: (token: string) => Promise<Answer<Membership>>): Promise<void> {
    const { body } = await asked(await options.restToken());
    if (body) takeMembership(body);
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
      const known = { cursors: Object.fromEntries(cursors), membershipsSince: unreadChats.since() };
      record({ kind: 'connecting', at: now(), ...known });
      ready = false;
      give({ token: current, ...known });
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

  const onMessage = (saved: boolean, changed?: 'updated' | 'deleted') => (event: MessageEvent) => {
    const chatId = recorder.intern(event.chatId);
    const message = recorder.seen(event.message);
    const number = event.eventSequence;
    record({ kind: 'message', at: now(), ...(changed ? { changed } : {}), saved, chatId, number, message });
    see(chatId, number);
  };
  const onReactions = ({ chatId: id, eventSequence: number, sequence, ...event }: ReactionsEvent) => {
    const chatId = recorder.intern(id);
    const reactions = recorder.intern(reactionsText(event.reactions));
    record({ kind: 'reactions', at: now(), chatId, number, sequence, reactions });
    see(chatId, number);
  };
  const onSettings = ({ chatId: id, chat, eventSequence: number }: ChatUpdatedEvent) => {
    const chatId = recorder.intern(id);
    record({ kind: 'settings', at: now(), chatId, number, settings: recorder.intern(settingsText(chat)) });
    see(chatId, number);
  };
  const onParticipant = (added: boolean) => (event: ParticipantEvent) => {
    const { participant, eventSequence: number } = event;
    const chatId = recorder.intern(event.chatId);
    const concerned = { userId: recorder.intern(participant.userId), leads: leads(participant) };
    record({ kind: 'participant', at: now(), added, chatId, number, ...concerned });
    if (added || concerned.userId !== userId) see(chatId, number);
    else {
      left.set(chatId, number);
      cursors.delete(chatId);
    }
  };
  socket.on('chat.message.new', onMessage(false));
  socket.on('chat.message.saved', onMessage(true));
  socket.on('chat.message.updated', onMessage(false, 'updated'));
  socket.on('chat.message.deleted', onMessage(false, 'deleted'));
  socket.on('chat.message.reactions', onReactions);
  socket.on('chat.updated', onSettings);
  socket.on('chat.participant.added', onParticipant(true));
  socket.on('chat.participant.removed', onParticipant(false));
  socket.on('chat.message.failed', ({ chatId, clientMessageId, code }: MessageFailedEvent) =>
    record({ kind: 'failed', at: now(), chatId, clientMessageId, code }),
  );
  socket.on('chat.typing', ({ chatId, userId: typist }: TypingEvent) =>
    record({ kind: 'typing', at: now(), chatId: recorder.intern(chatId), userId: recorder.intern(typist) }),
  );
  socket.on('chat.created', ({ chat }: { chat: Chat }) => {
    takeChat('created', chat);
    takeMembership(chat.membership);
    if (chat.lastSequence > 0) reading.history(recorder.intern(chat.id));
  });
  socket.on('chat.membership', ({ membership }: MembershipEvent) => takeMembership(membership));
  socket.on('chat.sync.reset', ({ chatId, eventSequence }: { chatId?: string; eventSequence?: number }) => {
    record({
      kind: 'reset',
      at: now(),
      ...(chatId === undefined ? {} : { chatId }),
      ...(eventSequence === undefined ? {} : { number: eventSequence }),
    });
    if (chatId !== undefined) {
      reading.chat(recorder.intern(chatId));
      return;
    }
    // Also those that it has not heard of.
    void reading.list();
    for (const each of cursors.keys()) reading.chat(each);
  });
  socket.on('chat.ready', ({ membershipVersion = 0 }: { membershipVersion?: number }) => {
    ready = true;
    record({ kind: 'ready', at: now(), membershipVersion });
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
    reading: () => reading.underWay() || unknown().length > 0,
    cursors: () => cursors,
    unread: unreadChats.of,
    markRead: (chatId, sequence, version) =>
      mark((token) => rest.markRead(token, chatId, { sequence, version })),
    markUnread: (chatId, sequence) => mark((token) => rest.markUnread(token, chatId, sequence)),
    type: async (chatId, typing) => rest.type(await options.restToken(), chatId, typing),
    async readNewest(chatId) {
      const { body } = await rest.history(await options.restToken(), chatId, 'limit=20');
      if (body) takePage(chatId, body);
    },
    async close() {
      closed = true;
      clearTimeout(again);
      clearInterval(looking);
      socket.disconnect();
      socket.io.engine?.close();
    },
  };
}
