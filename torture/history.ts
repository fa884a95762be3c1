import type {
  ChatSettings,
  Membership,
  Mentions,
  MessageExtras,
  ParticipantRole,
  Quote,
  Reaction,
} from '../src/shared/contract.ts';
import type { DatabaseRows, DeadLetterRow } from './rows.ts';

/**
 * What a run left behind, as plain data: what clients did and saw, what was answered, and what is in the database and
 * the queues at the end. The judges read nothing else. All times are milliseconds of one clock, since the epoch.
 */

/** What is sent beside the words. */
export type SentExtras = Pick<MessageExtras, 'replyTo' | 'mentions'>;

/** One attempt; a repeat under the same `clientMessageId` is another record. */
export interface Post extends SentExtras {
  chatId: string;
  senderId: string;
  clientMessageId: string;
  content: string;
  /** False: sent on purpose with a token that must be refused. */
  authenticated: boolean;
  begunAt: number;
  endedAt: number;
  /** Undefined: no answer (cut, timed out), so that it is unknown whether the message is in the queue. */
  status: number | undefined;
  /** The problem's code, where it was refused. */
  code?: string;
  /** As answered with a 202. */
  brokerMessageId?: string;
}

export type Cursors = Readonly<Record<string, number>>;

/** A message as a client was shown it. */
export interface SeenMessage {
  id: string;
  senderId: string;
  clientMessageId: string;
  content: string;
  sequence: number;
  sentAt: string;
  /** The number of its last edit or of its deletion; absent for one that was never changed. */
  version?: number;
  deletedAt?: string;
  /** As `reactionsText` writes them; absent: none. */
  reactions?: string;
  replyTo?: Quote;
  mentions?: Mentions;
}

/** One attempt to edit a message, or to delete it. */
export interface ChangeAttempt {
  chatId: string;
  messageId: string;
  /** Of an edit. */
  content?: string;
  /** Of an edit; absent: those of before. */
  mentions?: Mentions;
  begunAt: number;
  endedAt: number;
  /** Undefined: no answer, so that it is unknown whether it was done. */
  status: number | undefined;
}

/** What one client went through, in the order it happened to it. */
export type ClientRecord =
  /** It asks for a connection; what follows belongs to that one, until the next. */
  | { kind: 'connecting'; at: number; cursors: Cursors; membershipsSince?: number }
  | { kind: 'connected'; at: number }
  | { kind: 'ready'; at: number; membershipVersion: number }
  | { kind: 'refused'; at: number; code: string }
  | { kind: 'disconnected'; at: number; reason: string }
  /** `saved`: it came as `chat.message.saved`. `number` is the `eventSequence`. */
  | {
      kind: 'message';
      at: number;
      /** It came as `chat.message.updated` or `chat.message.deleted`. */
      changed?: 'updated' | 'deleted';
      saved: boolean;
      chatId: string;
      number: number;
      message: SeenMessage;
    }
  | { kind: 'reactions'; at: number; chatId: string; number: number; sequence: number; reactions: string }
  /** `settings`: as `settingsText` writes them. */
  | { kind: 'settings'; at: number; chatId: string; number: number; settings: string }
  | {
      kind: 'participant';
      at: number;
      added: boolean;
      chatId: string;
      number: number;
      userId: string;
      leads: boolean;
    }
  /** `chat.created`, or a chat object read by REST: who takes part at that number, and who of them leads. */
  | {
      kind: 'created' | 'chat';
      at: number;
      chatId: string;
      number: number;
      userIds: readonly string[];
      leads: readonly string[];
      settings: string;
    }
  | { kind: 'typing'; at: number; chatId: string; userId: string }
  /** Its own of a chat, as an event or in whatever REST answered. */
  | { kind: 'membership'; at: number; membership: Membership }
  | { kind: 'failed'; at: number; chatId: string; clientMessageId: string; code: string }
  /** Without a chat: all chats. */
  | { kind: 'reset'; at: number; chatId?: string; number?: number }
  /** A page of the history, read by REST. */
  | { kind: 'page'; at: number; chatId: string; number: number; messages: readonly SeenMessage[] };

export interface ClientHistory {
  /** `alice/1`: the user, and which of their sockets. */
  name: string;
  userId: string;
  records: readonly ClientRecord[];
}

/** A removal or an adding that took place, with its number from the database. */
export interface MembershipChange {
  chatId: string;
  userId: string;
  change: 'added' | 'removed';
  number: number;
  begunAt: number;
  /** When it was answered, or found done after a cut request. */
  endedAt: number;
}

/** One process's resources at rest. */
export interface Resources {
  descriptors: number;
  sockets: number;
  memoryBytes: number;
}

export interface ProcessReading {
  name: string;
  before: Resources;
  after: Resources;
}

/** What the others in somebody's chats were told of them by REST at the end, once it was right or the time was over. */
export interface PresenceReading {
  userId: string;
  /** What had become of all their sockets, and when. */
  how: 'connected' | 'disconnected' | 'gateway died';
  since: number;
  online: boolean;
  lastSeenAt: string | null;
  readAt: number;
}

export interface FaultRecord {
  /** As in the schedule, e.g. `kill redis`. */
  name: string;
  begunAt: number;
  /** When everything it touched was back. */
  endedAt: number;
  /** When full flow was seen again; undefined where nobody looked. */
  recoveredAt?: number;
  /** It keeps gateways from Redis. */
  redisAway: boolean;
}

export interface Interval {
  from: number;
  to: number;
}

export interface History {
  posts: readonly Post[];
  clients: readonly ClientHistory[];
  changes: readonly ChangeAttempt[];
  memberships: readonly MembershipChange[];
  /** What the harness itself put into the queue to be dead-lettered. */
  poison: readonly { id: string; body: string; at: number }[];
  /** The ids of dead letters that were replayed. */
  replayed: readonly string[];
  database: DatabaseRows;
  deadLetters: readonly DeadLetterRow[];
  /** What is left in each queue but that of the dead letters. */
  queues: readonly { name: string; messages: number }[];
  processes: readonly ProcessReading[];
  presence: readonly PresenceReading[];
  /** When nothing from the broker reached any api process. */
  brokerSilent: readonly Interval[];
  faults: readonly FaultRecord[];
}

/** What everybody is shown alike: whose own they are is left out. */
export const reactionsText = (reactions: readonly Reaction[] = []): string =>
  reactions.map(({ key, count, userIds }) => `${key} ${count} of ${userIds.join(' ')}`).join(', ');

/** Whoever knows of no `posting` has chats in which all may. */
export const settingsText = ({
  name,
  posting = 'all',
}: Pick<ChatSettings, 'name'> & Partial<ChatSettings>): string => `${posting} ${name ?? ''}`;

export const leads = ({ role }: { role: ParticipantRole }): boolean => role !== 'member';

export const keyOf = (of: { chatId: string; senderId: string; clientMessageId: string }): string =>
  `${of.chatId} ${of.senderId} ${of.clientMessageId}`;
