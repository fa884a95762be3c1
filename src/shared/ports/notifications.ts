/**
 * Hints from those who change something to the gateways. They may be lost, repeated, reordered or forged: a gateway
 * takes nothing from them that PostgreSQL would not confirm. Adapters: Redis pub/sub, where they are signed (`codec.ts`),
 * and in-process.
 */

/** `chat:<id>` reaches gateways with a socket of a participant, `user:<id>` those with a socket of the user. */
export type Topic = `chat:${string}` | `user:${string}`;

/** `eventSequence` is the chat's number of the change; `userId` whom it concerns. */
export type NotificationHead =
  | { version: 1; kind: 'message'; chatId: string; eventSequence: number; senderId: string }
  | { version: 1; kind: 'participant.added'; chatId: string; eventSequence: number; userId: string }
  | { version: 1; kind: 'participant.removed'; chatId: string; eventSequence: number; userId: string }
  /** To a user: look at your membership of this chat again. */
  | { version: 1; kind: 'membership'; chatId: string; eventSequence: number; userId: string }
  | { version: 1; kind: 'message.failed'; userId: string }
  /** Close the sockets of this session. */
  | { version: 1; kind: 'session.revoked'; userId: string; sessionId: string }
  /** Made by the receiving end of what it cannot read or believe, as during a rolling deploy: look at PostgreSQL. */
  | { version: 1; kind: 'unknown' };

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
