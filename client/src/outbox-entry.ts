import type { ErrorCode, MessageEdit } from './contract.ts';
import { quoteIn } from './state/held.ts';
import type { ChatMessage, MessageState, NewMessage } from './types.ts';

/** What is to be sent, as it is kept. */
export interface Entry {
  readonly clientMessageId: string;
  readonly chatId: string;
  readonly message: NewMessage;
  /** Of one device: rising, whatever its clock does. */
  readonly order: number;
  /** `saved`: only what waited for that is left to do. */
  readonly state: MessageState;
  readonly code?: ErrorCode | 'not_saved';
  /** Since it was accepted. */
  readonly messageId?: string;
  /** How often it was accepted and then not there. */
  readonly losses: number;
  /** What is done once it is saved. */
  readonly after: readonly Then[];
}

export type Then =
  | { kind: 'edit'; edit: MessageEdit }
  | { kind: 'react'; key: string; present: boolean }
  | { kind: 'delete' };

/** As it is shown until it is saved, with what is to be done to it. */
export function shownEntry(
  entry: Entry,
  context: {
    me: string;
    items: readonly ChatMessage[];
    retry: () => void;
    discard: () => void;
  },
): ChatMessage {
  const { clientMessageId, chatId, message, order, state, code, messageId } = entry;
  const { me, items, retry, discard } = context;
  const edits = entry.after.flatMap((one) => (one.kind === 'edit' ? one.edit : []));
  const { content, mentions, metadata } = Object.assign({}, message, ...edits) as NewMessage;
  const replyTo = message.replyTo === undefined ? undefined : quoteIn(items, message.replyTo);
  return {
    id: messageId ?? clientMessageId,
    ...{ chatId, senderId: me, content, messageType: 'text', status: 'sent', clientMessageId },
    sentAt: new Date(order).toISOString(),
    ...(replyTo ? { replyTo } : {}),
    ...(mentions ? { mentions } : {}),
    ...(metadata ? { metadata } : {}),
    state,
    ...(state === 'failed' ? { failure: { code: code ?? 'not_saved', retry, discard } } : {}),
  };
}

type Named = Pick<Entry, 'chatId' | 'clientMessageId' | 'messageId'>;

export const pathOf = ({ chatId, messageId, clientMessageId }: Named): string =>
  `/chats/${chatId}/messages/${messageId ?? clientMessageId}`;

export function requestOf(entry: Named, then: Then): ['PATCH' | 'PUT' | 'DELETE', string, object?] {
  const path = pathOf(entry);
  if (then.kind === 'edit') return ['PATCH', path, then.edit];
  if (then.kind === 'delete') return ['DELETE', path];
  return [then.present ? 'PUT' : 'DELETE', `${path}/reactions/${encodeURIComponent(then.key)}`];
}
