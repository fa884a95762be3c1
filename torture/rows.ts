import type { Mentions, Reaction } from '../src/shared/contract.ts';

export interface MessageRow {
  chatId: string;
  sequence: number;
  id: string;
  senderId: string;
  clientMessageId: string;
  content: string;
  sentAt: string;
  number: number;
  version?: number | null;
  deleted?: boolean;
  /** The id of the message that it answers. */
  quoted?: string | null;
  mentions?: Mentions | null;
}

/** A message's last change. */
export interface ChangeRow {
  chatId: string;
  sequence: number;
  number: number;
}

/** A message's reactions; `number` is that of their last change. */
export interface ReactionsRow extends ChangeRow {
  /** As they are shown, and as who has reacted makes them. */
  shown: readonly Reaction[];
  counted: readonly Pick<Reaction, 'key' | 'count'>[];
}

export interface ParticipantRow {
  chatId: string;
  userId: string;
  active: boolean;
  leads: boolean;
  createdNumber: number;
  changedNumber: number;
  lastReadSequence: number;
  /** Of the membership. */
  version: number;
  /** As the server counts. */
  unreadCount: number;
  unreadMentionCount: number;
}

export interface ChatRow {
  id: string;
  lastSequence: number;
  lastNumber: number;
  participantCount: number;
  settings: string;
  /** Of their last change. */
  settingsNumber: number | null;
  deleted: boolean;
}

export interface DatabaseRows {
  chats: readonly ChatRow[];
  /** Ordered by chat and sequence. */
  messages: readonly MessageRow[];
  changes: readonly ChangeRow[];
  reactions: readonly ReactionsRow[];
  participants: readonly ParticipantRow[];
}

export interface DeadLetterRow {
  id: string;
  reason: string;
  body: string;
}
