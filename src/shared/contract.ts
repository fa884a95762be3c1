/**
 * Everything that crosses a process boundary: REST bodies, socket events, the queue's payload. Types alone, so that a
 * frontend can import this file without a byte of server code. Times are ISO 8601 in UTC with milliseconds.
 */

export type ErrorCode =
  | 'malformed_request'
  | 'malformed_json'
  | 'token_missing'
  | 'token_invalid'
  | 'token_expired'
  | 'session_revoked'
  | 'bad_credentials'
  | 'refresh_invalid'
  | 'not_owner'
  | 'not_allowed'
  | 'edit_window_closed'
  | 'user_deactivated'
  | 'origin_not_allowed'
  | 'chat_not_found'
  | 'message_not_found'
  | 'user_not_found'
  | 'route_not_found'
  | 'method_not_allowed'
  | 'email_taken'
  | 'chat_is_direct'
  | 'last_owner'
  | 'chat_full'
  | 'recently_left'
  | 'message_deleted'
  | 'too_many_reactions'
  | 'too_many_sockets'
  | 'idempotency_conflict'
  | 'body_too_large'
  | 'unsupported_media_type'
  | 'validation_failed'
  | 'rate_limited'
  | 'internal_error'
  | 'broker_unavailable'
  | 'database_unavailable'
  | 'server_busy'
  | 'not_ready';

/** `application/problem+json` (RFC 9457). */
export interface Problem {
  type: `urn:confab:error:${ErrorCode}`;
  title: string;
  status: number;
  code: ErrorCode;
  detail: string;
  requestId: string;
  /** Present with `validation_failed`: one entry a bad field; `path` is dotted, `''` for the body itself. */
  errors?: { path: string; message: string }[];
}

/** What `connect_error.data` holds on a refused socket. */
export interface ConnectErrorData {
  code: ErrorCode;
  detail: string;
}

export interface User {
  id: string;
  /** The subject at the outside identity provider; absent for users with a password. */
  externalId?: string;
  displayName: string;
  createdAt: string;
  avatarUrl?: string;
  metadata?: UserMetadata;
  /** Shown to oneself alone, as what follows. */
  email?: string;
  /** False: nobody is told what they have read, and they are not told what others have. */
  readReceipts?: boolean;
  /** False: to all others they are offline, and all others to them. */
  showPresence?: boolean;
}

/** What the host's own program keeps with a user; its fields are named as those of `MessageMetadata`. */
export interface UserMetadata {
  [field: string]: unknown;
}

/** What `POST /auth/tokens` makes: good for `expiresIn` seconds, and not to be refreshed. */
export type MadeToken = Omit<TokenPair, 'refreshToken'>;

/** The body of `PATCH /users/me`: what is not there stays as it is. */
export interface UserUpdate {
  displayName?: string | undefined;
  avatarUrl?: string | null | undefined;
  metadata?: UserMetadata | null | undefined;
  readReceipts?: boolean | undefined;
  showPresence?: boolean | undefined;
}

export interface TokenPair {
  accessToken: string;
  refreshToken: string;
  tokenType: 'Bearer';
  /** Seconds until the access token expires. */
  expiresIn: number;
  user: User;
}

export type ParticipantRole = 'owner' | 'admin' | 'member';

export interface Participant {
  userId: string;
  displayName: string;
  avatarUrl?: string;
  role: ParticipantRole;
  joinedAt: string;
  online: boolean;
  /** How far they have ever read, in the list of participants, where both they and the reader show it. */
  lastReadSequence?: number;
}

export interface Message {
  id: string;
  chatId: string;
  senderId: string;
  /** Empty once it is deleted. */
  content: string;
  messageType: 'text' | 'system';
  status: 'sent';
  /** 1, 2, 3 … in its chat, without a gap. */
  sequence: number;
  /** When it was accepted. */
  sentAt: string;
  clientMessageId: string;
  editedAt?: string;
  /** Then of what follows there is `deletedBy` and `version` alone. */
  deletedAt?: string;
  deletedBy?: string;
  /** The `eventSequence` of its last edit or deletion: of two states of a message the higher one is the newer. */
  version?: number;
  replyTo?: Quote;
  mentions?: Mentions;
  /** In the order in which their keys were first used. */
  reactions?: Reaction[];
  metadata?: MessageMetadata;
}

/** Those to a message under one key. */
export interface Reaction {
  /** An emoji, fully qualified (Unicode, UTS #51), or `:name:`. */
  key: string;
  count: number;
  /** The first 10. */
  userIds: string[];
  /** In answers to who has reacted so; never in events. */
  own?: true;
}

/** A message that is answered, as it is now; `deleted` also where it is not there, or in another chat. */
export type Quote =
  | {
      messageId: string;
      sequence: number;
      senderId: string;
      /** Its first 200 characters. */
      preview: string;
    }
  | { messageId: string; deleted: true };

/**
 * What the host's own program keeps with a message. Name its fields by merging:
 * `declare module 'confab/contract' { interface MessageMetadata { orderId?: string } }`.
 */
export interface MessageMetadata {
  [field: string]: unknown;
}

/** What the host's own program keeps with a chat; its fields are named as those of `MessageMetadata`. */
export interface ChatMetadata {
  [field: string]: unknown;
}

/** As the sender said; who takes no part in the chat is left out. */
export interface Mentions {
  userIds: string[];
  everyone?: true;
}

/** The body of an edit: what is not there stays as it is. */
export interface MessageEdit {
  content?: string;
  mentions?: Mentions;
  metadata?: MessageMetadata;
}

/** What a send may have beside its text. */
export interface MessageExtras {
  /** Of the service API alone. */
  messageType?: 'system';
  /** The id of a message of the same chat. */
  replyTo?: string;
  mentions?: Mentions;
  metadata?: MessageMetadata;
}

/** What a user has read of a chat, and set for it. Of two states of it the one of the higher `version` is the newer. */
export interface Membership {
  chatId: string;
  /** The marker: of what comes after it something may be unread. */
  lastReadSequence: number;
  /** Of the 1,000 messages after the marker those that others sent, are not deleted and are not `system`. 100 stands for more than 99. */
  unreadCount: number;
  /** Those of them that mention the user. */
  unreadMentionCount: number;
  notify: Notify;
  mutedUntil: string | null;
  pinnedAt: string | null;
  archivedAt: string | null;
  /** The number of its last change among those of all of the user's memberships. */
  version: number;
  /** The chat's numbers, of the moment in which was counted. */
  lastSequence: number;
  eventSequence: number;
}

export type Notify = 'all' | 'mentions' | 'none';

/** What of a membership `PATCH /chats/:chatId/membership` sets. */
export interface MembershipSettings {
  notify?: Notify | undefined;
  mutedUntil?: string | null | undefined;
  pinned?: boolean | undefined;
  archived?: boolean | undefined;
}

export type ChatFilter = 'unread' | 'archived' | 'pinned';

/** Archived and muted chats count by their mentions alone. */
export interface UnreadTotals {
  unreadChats: number;
  unreadMentions: number;
  /** Of those chats, newest activity first, 1,000 at most. */
  chatIds: string[];
}

/** What a chat is and who leads it sets, as it is now. */
export interface ChatSettings {
  id: string;
  isGroup: boolean;
  name: string | null;
  avatarUrl: string | null;
  metadata: ChatMetadata | null;
  posting: Posting;
}

/** Who may send and edit: all who take part, or its owners and admins. */
export type Posting = 'all' | 'admins';

/** The body of `PATCH /chats/:chatId`: what is not there stays as it is. */
export type ChatUpdate = {
  [Field in Exclude<keyof ChatSettings, 'id' | 'isGroup'>]?: ChatSettings[Field] | undefined;
};

export interface Chat extends ChatSettings {
  createdAt: string;
  /** When its last message was stored, by the clock of the database. */
  lastActivityAt: string;
  participantCount: number;
  /** The first 20, longest members first. */
  participants: Participant[];
  lastMessage: Message | null;
  lastSequence: number;
  /** Counts every durable change of the chat; the cursor to resume from. */
  eventSequence: number;
  /** One's own. */
  membership: Membership;
}

export interface Page<Item> {
  data: Item[];
  nextCursor: string | null;
}

/** Who has reacted. */
export interface Reactor {
  userId: string;
  key: string;
  reactedAt: string;
}

/** The answer to a reaction. */
export interface MessageReactions {
  messageId: string;
  reactions: Reaction[];
  /** Of their last change: of two states the one with the higher number is the newer. */
  eventSequence: number;
}

export interface SendAccepted {
  brokerMessageId: string;
  clientMessageId: string;
}

export interface MessagePage {
  data: Message[];
  page: { hasBefore: boolean; hasAfter: boolean; eventSequence: number };
}

export interface MessageEvent {
  chatId: string;
  message: Message;
  eventSequence: number;
}

export interface ReactionsEvent {
  chatId: string;
  messageId: string;
  /** The message's. */
  sequence: number;
  /** All that there are now; none where all were taken back. */
  reactions: Reaction[];
  /** What changed, only where it is told at once and is no more than 50: by it a device knows what its user did elsewhere. */
  by?: { userId: string; key: string; present: boolean }[];
  eventSequence: number;
}

/** A hint, not kept: the message was refused after it had been accepted. */
export interface MessageFailedEvent {
  chatId: string;
  clientMessageId: string;
  brokerMessageId: string;
  code: ErrorCode;
}

export interface ParticipantEvent {
  chatId: string;
  participant: Participant;
  /** Where one request added several: all of them, up to 100, the first of whom is `participant`. */
  participants?: Participant[];
  eventSequence: number;
}

export interface ChatUpdatedEvent {
  chatId: string;
  chat: ChatSettings;
  eventSequence: number;
}

/** To one's own sockets: not numbered by the chat, and told again to who comes back with `membershipsSince`. */
export interface MembershipEvent {
  membership: Membership;
}

/** A hint, in chats of no more than `CHAT_LIVE_MAX` participants: who has read up to where, at most once a second. */
export interface ReadEvent {
  chatId: string;
  reads: { userId: string; lastReadSequence: number; readAt: string }[];
}

/** A hint, to the others in a chat of no more than `CHAT_LIVE_MAX` participants; whoever types is told of once in 3 s. */
export interface TypingEvent {
  chatId: string;
  userId: string;
  typing: boolean;
  /** How long it is to be shown, if nothing more comes. */
  expiresInMs: number;
}

export interface UserPresence {
  userId: string;
  /** Whether they have a socket somewhere. */
  online: boolean;
  /** When their last socket ended; null where that is not known, or not shown. */
  lastSeenAt: string | null;
}

/** A hint, in the 50 direct chats of the user's with the newest activity; offline is who has had no socket for 9 s. */
export interface PresenceEvent extends UserPresence {
  chatId: string;
}

/**
 * What a user has changed of themselves: to their own sockets with what is shown to them alone; a hint to those in their direct chats, and in
 * their chats of no more than `CHAT_LIVE_MAX` participants.
 */
export interface UserEvent {
  user: User;
}

/**
 * Too much was missed to be sent: read this chat by REST, or, without a `chatId`, the list of chats. With an
 * `eventSequence`, everything numbered above it is sent; without one, the chat may not be there any more.
 */
export interface SyncResetEvent {
  chatId?: string;
  eventSequence?: number;
}

/** The events of durable changes: numbered by `eventSequence`, told again to who was away, and read by `GET …/changes`. */
export interface ChangeEvents {
  'chat.message.new': MessageEvent;
  'chat.message.saved': MessageEvent;
  /** As it is after the edit, to everybody, whoever made it too. */
  'chat.message.updated': MessageEvent;
  /** With what is left of it, to everybody. */
  'chat.message.deleted': MessageEvent;
  /** To everybody, whoever reacted too. */
  'chat.message.reactions': ReactionsEvent;
  'chat.participant.added': ParticipantEvent;
  'chat.participant.removed': ParticipantEvent;
  /** To everybody, as it is now. */
  'chat.updated': ChatUpdatedEvent;
}

/** One entry of `GET /chats/:chatId/changes`: what a socket would have been sent. */
export type ChatChange =
  | { [Name in keyof ChangeEvents]: { event: Name; payload: ChangeEvents[Name] } }[keyof ChangeEvents]
  | { event: 'chat.sync.reset'; payload: SyncResetEvent };

export interface ChangesPage {
  data: ChatChange[];
  /** Up to here everything is in `data`, and where the next page begins. */
  eventSequence: number;
}

/** What a socket gives as `auth`. With `cursors` it is told what it missed since; without, only what is new. */
export interface SocketAuth {
  token: string;
  /** The highest `eventSequence` seen of each chat; of more than 1,000 the last ones are taken. */
  cursors?: Record<string, number>;
  /**
   * The `version` up to which no membership is missing, by the last `chat.ready` and what came on from there: what one has read
   * and set since then elsewhere is told.
   */
  membershipsSince?: number;
}

type Listeners<Events> = { [Name in keyof Events]: (event: Events[Name]) => void };

/** The typed events of the `/chat` namespace: `Socket<ServerToClientEvents>` of socket.io-client. */
export interface ServerToClientEvents extends Listeners<ChangeEvents> {
  'chat.message.failed': (event: MessageFailedEvent) => void;
  'chat.created': (event: { chat: Chat }) => void;
  'chat.membership': (event: MembershipEvent) => void;
  'chat.read': (event: ReadEvent) => void;
  'chat.typing': (event: TypingEvent) => void;
  'chat.presence': (event: PresenceEvent) => void;
  'user.updated': (event: UserEvent) => void;
  'chat.sync.reset': (event: SyncResetEvent) => void;
  /** After each connect, once everything missed has been sent: from here on all is live. */
  'chat.ready': (event: { membershipVersion: number }) => void;
}

/** Clients only listen: everything they do goes by REST. */
export type ClientToServerEvents = Record<never, never>;

/**
 * What `POST /chats/:chatId/messages` puts into the queue, followed there by its signature; `brokerMessageId` is the AMQP
 * `messageId` too. A field is added with a new version only: version 2 has the extras, and is used for messages with some; of
 * version 3 are those of `messageType: "system"`.
 */
export interface SendEnvelope extends MessageExtras {
  version: 1 | 2 | 3;
  brokerMessageId: string;
  chatId: string;
  senderId: string;
  clientMessageId: string;
  content: string;
  sentAt: string;
  requestId: string;
}
