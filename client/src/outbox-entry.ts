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
  /** Why it has failed, or what waited for it. */
  readonly code?: ErrorCode;
  /** Whether the server may have it. */
  readonly tried: boolean;
  /** Since it was accepted. */
  readonly messageId?: string;
  /** How often it was accepted and then not there. */
  readonly losses: number;
  /** What is done once it is saved, in the order of `at`. */
  readonly after: readonly (Then & { at: number })[];
  /** The `at` of what is done. */
  readonly done: readonly number[];
  /** Of what tabs have written the highest counts. */
  readonly revision: number;
}

export type Then =
  | { kind: 'edit'; edit: MessageEdit }
  | { kind: 'react'; key: string; present: boolean }
  | { kind: 'delete' };

/** What two tabs know of it: nothing is lost of what waits for it. */
export function mergeEntries(known: Entry, kept: Entry): Entry {
  const newer = kept.revision > known.revision && known.state !== 'sending' ? kept : known;
  const done = [...new Set([...known.done, ...kept.done])];
  const after = new Map([...known.after, ...kept.after].map((then) => [then.at, then]));
  for (const at of done) after.delete(at);
  return {
    ...{ ...newer, done, tried: known.tried || kept.tried },
    after: [...after.values()].sort((a, b) => a.at - b.at),
  };
}

/** As it is shown, with what is to be done to it. @param saved as the server has it */
export function shownEntry(
  entry: Entry,
  context: {
    me: string;
    items: readonly ChatMessage[];
    saved: ChatMessage | undefined;
    retry: () => void;
    discard: () => void;
  },
): ChatMessage {
  const { clientMessageId, chatId, message, order, code, messageId } = entry;
  const { me, items, saved, retry, discard } = context;
  const { replyTo: quoted, ...sent } = message;
  const replyTo = quoted === undefined ? undefined : quoteIn(items, quoted);
  const shown: ChatMessage = saved ?? {
    id: messageId ?? clientMessageId,
    ...{ chatId, senderId: me, messageType: 'text', status: 'sent', clientMessageId, state: entry.state },
    sentAt: new Date(order).toISOString(),
    ...sent,
    ...(replyTo ? { replyTo } : {}),
  };
  const edits = entry.after.flatMap((one) => (one.kind === 'edit' ? one.edit : []));
  const isDeleted = entry.after.some(({ kind }) => kind === 'delete');
  return Object.assign(
    { ...shown },
    ...edits,
    isDeleted && { content: '', deletedAt: new Date(order).toISOString() },
    code && { state: 'failed', failure: { code, retry, discard } },
  );
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
