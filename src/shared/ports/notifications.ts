import type { ChatChange, Membership, ReadEvent, ServerToClientEvents } from '../contract.ts';
import type { Traceparent } from './tracing.ts';

/**
 * Hints from those who change something to the gateways. They may be lost, repeated, reordered or forged: a gateway
 * takes nothing from them that PostgreSQL would not confirm. Adapters: Redis pub/sub, where they are signed (`notification-codec.ts`),
 * and in-process.
 */

/** `chat:<id>` reaches gateways with a socket of a participant, `user:<id>` those with a socket of the user. */
export type Topic = `chat:${string}` | `user:${string}`;

/** A durable change of a chat. What kinds there are a gateway need not know: it passes on what it is told. */
export interface ChangeHead {
  chatId: string;
  /** The chat's number of the change. */
  eventSequence: number;
  /** By which sockets are told; a newer version may have others. */
  event: ChatChange['event'];
  /** Who made it, where their own devices are told by another name. */
  actorId?: string | undefined;
  actorEvent?: ChatChange['event'] | undefined;
  /** Of the message that it is about. */
  sequence?: number | undefined;
}

export type NotificationHead =
  /** To a chat. Without a body it says no more than that there is something to read. */
  | ({ version: 1; kind: 'change'; traceparent?: Traceparent } & ChangeHead)
  /** To a user, or to a chat but for one user in it: an event that is not numbered, and not told again. */
  | { version: 1; kind: 'passing'; event: keyof ServerToClientEvents; actorId?: string | undefined }
  /** To a user: look at your membership of this chat again. */
  | { version: 1; kind: 'membership'; chatId: string; eventSequence: number; userId: string }
  /** Close the sockets of this session; without one all of the user's. */
  | { version: 1; kind: 'session.revoked'; userId: string; sessionId?: string }
  /** Made by the receiving end of what it cannot read or believe, as during a rolling deploy: look at PostgreSQL. */
  | { version: 1; kind: 'unknown' };

/** Of `chat.read`: what several have read in one chat, for all in it, and for each of them the own membership. */
export interface ReadsBody extends ReadEvent {
  /** In the order of the reads; an older api tells them by themselves. */
  memberships?: Membership[];
}

export interface Notification {
  topic: Topic;
  head: NotificationHead;
  /** JSON text of the event's payload, encoded once by whom made it; `''` where the kind has none. */
  body: string;
}

export interface Notifier {
  /** In order, in one round trip. Rejects when Redis did not take them, within a second or so. */
  publish(notifications: readonly Notification[]): Promise<void>;
}

export interface Subscriber {
  /** Resolves when the server has acknowledged: what is published later arrives. */
  subscribe(topics: readonly Topic[]): Promise<void>;
  unsubscribe(topics: readonly Topic[]): Promise<void>;
  /** All that arrived in one read, in order of arrival. Called from one tick; must not throw. */
  onNotifications(handler: (batch: readonly Notification[]) => void): void;
  /** After a lost connection was made again and all topics resubscribed: whatever came in between is missing. */
  onReconnect(handler: () => void): void;
  ready(): boolean;
}
