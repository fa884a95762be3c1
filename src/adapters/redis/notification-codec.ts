import type { Notification, NotificationHead, Topic } from '../../shared/ports/notifications.ts';
import { createSigner, signatureCharacters } from '../../shared/signature.ts';

export interface NotificationCodec {
  encode(notification: Notification): string;
  /** Undefined for what is not a notification of this version, made by someone who has the key, for this topic. */
  decode(topic: Topic, wire: string): Notification | undefined;
}

const kinds: ReadonlySet<string> = new Set<NotificationHead['kind']>([
  'change',
  'passing',
  'membership',
  'session.revoked',
]);

/** As the version before wrote some of them. What else it wrote says enough as `unknown`. */
const former = new Map<unknown, object>([
  ['message', { kind: 'change', event: 'chat.message.new', actorEvent: 'chat.message.saved' }],
  ['message.failed', { kind: 'passing', event: 'chat.message.failed' }],
]);

/**
 * On the wire: the head as JSON, a space, the signature, a line feed, the body. JSON text holds no raw line feed, so a
 * gateway reads the head and passes the body on unparsed; and because it does, who can write to Redis must not be able to
 * say what a message says. The signature is that of topic, head and body, each on a line of its own.
 * @param key the same in every process: `notificationKey()`
 */
export function createNotificationCodec(key: string): NotificationCodec {
  const signer = createSigner(key);
  const sign = (topic: Topic, head: string, body: string) => signer(`${topic}\n${head}\n${body}`);

  return {
    encode({ topic, head, body }) {
      const text = JSON.stringify(head);
      return `${text} ${sign(topic, text, body)}\n${body}`;
    },

    decode(topic, wire) {
      const headEnd = wire.indexOf('\n');
      const textEnd = headEnd - signatureCharacters - 1;
      if (textEnd < 0 || wire[textEnd] !== ' ') return undefined;
      const text = wire.slice(0, textEnd);
      const body = wire.slice(headEnd + 1);
      if (wire.slice(textEnd + 1, headEnd) !== sign(topic, text, body)) return undefined;
      const read = JSON.parse(text);
      const names = former.get(read.kind);
      const head: NotificationHead = names ? { ...read, actorId: read.senderId, ...names } : read;
      return head.version === 1 && kinds.has(head.kind) ? { topic, head, body } : undefined;
    },
  };
}
