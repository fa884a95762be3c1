import type { MessageProperties } from 'amqplib';

/** AMQP's short strings. */
const mostBytes = 255;

/**
 * A message's own id, if it can be sent on: of each byte that is no UTF-8 amqplib makes a character of three, and what is too long
 * then it does not send.
 */
export function messageIdOf(properties: MessageProperties): string | undefined {
  const messageId: unknown = properties.messageId;
  return typeof messageId === 'string' && Buffer.byteLength(messageId) <= mostBytes ? messageId : undefined;
}
