import type { Change } from './changes.ts';
import type { ErrorCode } from './contract.ts';
import { quoteIn } from './state/held.ts';
import type { ChatMessage, MessageState, NewMessage } from './types.ts';

/** One thing that is to be done: a message to be sent, or what waits until one is saved; as it is kept. */
export interface Entry {
  /** Of what is to be sent the `clientMessageId`. */
  readonly id: string;
  readonly chatId: string;
  /** Of the message that it is about. */
  readonly clientMessageId: string;
  /** Since that was accepted. */
  readonly messageId?: string;
  readonly what: { kind: 'send'; message: NewMessage } | Change;
  /** Of one device: rising, whatever its clock does. */
  readonly order: number;
  readonly state: MessageState;
  /** Why it has failed. */
  readonly code?: ErrorCode;
  /** Whether the server may have it. */
  readonly tried: boolean;
  /** How often it was accepted and then not there. */
  readonly losses: number;
  /** Of what tabs have written the highest counts. */
  readonly revision: number;
}

/** Of those of one chat the first that nothing stands before: what is about one message is done in order. */
export const nextOf = (entries: readonly Entry[]): Entry | undefined =>
  entries.find(
    ({ state, clientMessageId }, at) =>
      state === 'queued' && entries.findIndex((one) => one.clientMessageId === clientMessageId) === at,
  );

/** It is deleted before anybody may have been told of it: there is nothing to be sent. */
export const isVoid = (entries: readonly Entry[], clientMessageId: string): boolean =>
  entries.some(({ id, tried }) => id === clientMessageId && !tried) &&
  entries.some((one) => one.clientMessageId === clientMessageId && one.what.kind === 'delete');

/** What is shown, with what is to be done to it. @param saved as the server has it */
export function withEntries(
  saved: readonly ChatMessage[],
  entries: readonly Entry[],
  me: string,
  { retry, discard }: { retry(clientMessageId: string): void; discard(clientMessageId: string): void },
): readonly ChatMessage[] {
  const items = [...saved];
  for (const { clientMessageId, chatId, messageId, what, order, state, code } of entries) {
    const place = items.findIndex((one) => one.senderId === me && one.clientMessageId === clientMessageId);
    const shown = items[place];
    const at = new Date(order).toISOString();
    const failed = code && {
      state: 'failed' as const,
      failure: { code, retry: () => retry(clientMessageId), discard: () => discard(clientMessageId) },
    };
    if (what.kind === 'send') {
      const { replyTo: quoted, ...sent } = what.message;
      const replyTo = quoted && quoteIn(saved, quoted);
      if (shown || isVoid(entries, clientMessageId)) continue;
      items.push({
        id: messageId ?? clientMessageId,
        chatId,
        senderId: me,
        clientMessageId,
        sentAt: at,
        messageType: 'text',
        status: 'sent',
        state,
        ...sent,
        ...(replyTo && { replyTo }),
        ...failed,
      });
    } else if (shown) {
      const change =
        what.kind === 'edit' ? what.edit : what.kind === 'delete' ? { content: '', deletedAt: at } : {};
      items[place] = { ...shown, ...change, ...failed };
    }
  }
  return items;
}
