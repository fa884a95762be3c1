import type { MessageEvent } from '../../src/shared/contract.ts';
import { chatId, type Rooms, userId } from './population.ts';

export interface PreparedMessage {
  chat: number;
  sender: number;
  eventSequence: number;
  /** JSON of the event, as the worker encodes it. */
  body: string;
}

const content = 'Shall we meet at the harbour at seven? I will bring the charts.';

/**
 * Makes messages chat after chat, from one member after the other, numbered on in every chat from where they were left.
 */
export function createMessages(): (rooms: Rooms, count: number) => PreparedMessage[] {
  const sent = new Map<number, number>();
  let turn = 0;
  return ({ firstChat, chats, size }, count) =>
    Array.from({ length: count }, () => {
      turn += 1;
      const place = turn % chats;
      const chat = firstChat + place;
      const sequence = (sent.get(chat) ?? 0) + 1;
      sent.set(chat, sequence);
      const sender = 1 + place * size + (sequence % size);
      // The members' joining was numbered before.
      const eventSequence = size + sequence;
      const event: MessageEvent = {
        chatId: chatId(chat),
        message: {
          id: crypto.randomUUID(),
          chatId: chatId(chat),
          senderId: userId(sender),
          content,
          messageType: 'text',
          status: 'sent',
          sequence,
          sentAt: new Date().toISOString(),
          clientMessageId: crypto.randomUUID(),
        },
        eventSequence,
      };
      return { chat, sender, eventSequence, body: JSON.stringify(event) };
    });
}

/** The same characters in one piece: a text put together from parts would be joined inside the window, at its first use. */
export const flat = (text: string): string => Buffer.from(text).toString();
