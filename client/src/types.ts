import type {
  Chat,
  ChatUpdate,
  Message as ContractMessage,
  ErrorCode,
  Membership,
  MembershipSettings,
  Mentions,
  MessageEdit,
  MessageMetadata,
  Participant,
  ParticipantRole,
  User,
  UserPresence,
  UserUpdate,
} from './contract.ts';

/**
 * What React's `useSyncExternalStore`, Svelte, Vue and Solid take. A snapshot is immutable, and the same object until something changes.
 * Both functions may be handed on without their store.
 */
export interface Store<Snapshot> {
  subscribe(listener: () => void): () => void;
  getSnapshot(): Snapshot;
}

export interface ClientOptions {
  /** Where Kong, or `bun run dev`, listens; the socket is at the same place unless `socketUrl` says otherwise. */
  url: string;
  socketUrl?: string;
  /**
   * Called at connect, and again when a token has expired or is not good: `expired` is the one that was refused. Undefined: nobody is
   * signed in.
   */
  getToken(why: { expired?: string }): Promise<string | undefined> | string | undefined;
  /** Where cursors, messages, drafts and what is not sent yet are kept: `local()` in a browser and `memory()` elsewhere, unless it is said. */
  storage?: KeyValueStorage;
  /** In the order in which they are tried: WebSocket, then polling, unless it is said. */
  transports?: ('websocket' | 'polling')[];
}

/** What is kept. A `set` that fails may reject: what is there already stays good. */
export interface KeyValueStorage {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
  delete(key: string): Promise<void>;
  keys(prefix: string): Promise<string[]>;
}

/** `refused`: for a reason that a pause does not mend; `code` says which. */
export type ConnectionState = 'idle' | 'connecting' | 'ready' | 'offline' | 'refused';

export interface ConnectionStatus {
  readonly state: ConnectionState;
  /** Why it is refused: `token_missing` and `session_revoked` mean that somebody has to sign in. */
  readonly code?: ErrorCode;
  /** When this state began, by the device's clock. */
  readonly since: number;
}

export interface ConfabClient {
  /** Counted: as many disconnects as connects end the connection. What is called twice in one tick, as by StrictMode, opens one. */
  connect(): void;
  disconnect(): void;
  readonly status: Store<ConnectionStatus>;
  /** Undefined until the server has said who it is, or what is stored. */
  readonly user: Store<User | undefined>;
  readonly chats: ChatList;
  readonly unread: Store<UnreadTotal>;
  readonly presence: PresenceStore;
  /** The same handle each time. */
  chat(chatId: string): ChatHandle;
  /** A direct chat, or with `isGroup` or more than one other, a group. */
  createChat(chat: NewChat): Promise<ChatItem>;
  updateMe(changes: UserUpdate): Promise<User>;
  /** Somebody else signs in: all that is known and kept of the one before is forgotten, and `getToken` is asked anew. */
  reset(): Promise<void>;
}

/** The body of `POST /chats`. */
export interface NewChat {
  participantUserIds: readonly string[];
  name?: string;
  isGroup?: boolean;
}

/** Archived and muted chats count by their mentions alone. */
export interface UnreadTotal {
  readonly chats: number;
  readonly mentions: number;
}

export interface PresenceStore {
  /** Asked at once and every 30 s while somebody listens; what it does not hold is not known yet. */
  watch(userIds: readonly string[]): Store<ReadonlyMap<string, UserPresence>>;
}

/** Newest activity first, pinned ones before; archived ones are not in it. The first page is read at the connect. */
export interface ChatList extends Store<ChatListSnapshot> {
  loadMore(): Promise<void>;
}

export interface ChatListSnapshot {
  readonly items: readonly ChatItem[];
  readonly hasMore: boolean;
  readonly loading: boolean;
}

/** With its `membership`, kept current. */
export type ChatItem = Readonly<Chat>;

export type MessageState = 'queued' | 'sending' | 'accepted' | 'saved' | 'failed';

export interface ChatMessage extends Readonly<Omit<ContractMessage, 'sequence'>> {
  /**
   * Undefined until it is saved. Those stand at the end, in the order in which they were sent, and their `id` may still change: key a list by
   * `clientMessageId`.
   */
  readonly sequence?: number;
  readonly state: MessageState;
  /** Of a `failed` one. */
  readonly failure?: MessageFailure;
}

export interface MessageFailure {
  /** `not_saved`: it was accepted again and again, and is not there. */
  readonly code: ErrorCode | 'not_saved';
  retry(): void;
  discard(): void;
}

/** The first page is read when somebody listens. */
export interface MessageList extends Store<MessageListSnapshot> {
  loadBefore(): Promise<void>;
  loadAfter(): Promise<void>;
  /** Shows what is around this message, in the place of what was shown. */
  jumpTo(sequence: number): Promise<void>;
  jumpToLatest(): Promise<void>;
}

export interface MessageListSnapshot {
  /** Oldest first; all that are saved follow one another without a gap. */
  readonly items: readonly ChatMessage[];
  readonly hasBefore: boolean;
  /** The newest ones are not shown: `loadAfter()` or `jumpToLatest()`. */
  readonly hasAfter: boolean;
  readonly loading: boolean;
}

export interface NewMessage {
  content: string;
  /** The id of a message of this chat. */
  replyTo?: string;
  mentions?: Mentions;
  metadata?: MessageMetadata;
}

/** Verbs reject with a `ConfabError`. What they change is in the stores when they resolve. */
export interface ChatHandle {
  readonly id: string;
  /** Undefined until it is read, and for who is not in it. */
  readonly info: Store<ChatItem | undefined>;
  readonly messages: MessageList;
  /** Ids of the others who type now. */
  readonly typing: Store<readonly string[]>;
  /** Longest members first; the first 20 at once, more (up to 1,000) by `load()`. */
  readonly participants: Store<readonly Participant[]> & { load(): Promise<void> };
  readonly membership: Store<Membership | undefined>;
  /** How far each of the others has read; who does not show it is not in it. */
  readonly reads: Store<ReadonlyMap<string, number>>;
  /** At once; the outbox does the rest. */
  send(message: NewMessage): { clientMessageId: string };
  /** Of one's own message that is not saved yet: resolves when it is noted, is done once that is saved, and fails with it. */
  edit(messageId: string, edit: MessageEdit): Promise<void>;
  delete(messageId: string): Promise<void>;
  react(messageId: string, key: string, present: boolean): Promise<void>;
  /** Up to this message, or the newest one; told to the server at most once a second. */
  markRead(sequence?: number): void;
  /** From this message on. */
  markUnread(sequence: number): Promise<void>;
  setMembership(settings: MembershipSettings): Promise<void>;
  /** At each key; told to the server every 3 s. */
  keystroke(): void;
  stopTyping(): void;
  readonly draft: Store<string> & { set(text: string): void };
  addParticipants(userIds: readonly string[]): Promise<void>;
  removeParticipant(userId: string): Promise<void>;
  setRole(userId: string, role: ParticipantRole): Promise<void>;
  update(changes: ChatUpdate): Promise<void>;
  leave(): Promise<void>;
  deleteChat(): Promise<void>;
}
