import type { ChangedRow } from '../db/queries/changes.ts';
import type { ChatChange, MessageEvent, ParticipantEvent } from '../shared/contract.ts';

/** What an event of this change carries, to whomever it goes. */
export function changePayload(
  chatId: string,
  row: ChangedRow,
  online: ReadonlySet<string>,
): MessageEvent | ParticipantEvent {
  const { eventSequence } = row;
  if (row.kind === 'message') return { chatId, message: row.message, eventSequence };
  const participant = { ...row.participant, online: online.has(row.participant.userId) };
  return { chatId, participant, eventSequence };
}

/** The change as this one user is told of it: senders see their own messages as saved. */
export function changeFor(
  userId: string,
  chatId: string,
  row: ChangedRow,
  online: ReadonlySet<string>,
): ChatChange {
  const payload = changePayload(chatId, row, online);
  if ('message' in payload) {
    const own = payload.message.senderId === userId;
    return { event: own ? 'chat.message.saved' : 'chat.message.new', payload };
  }
  const present = row.kind === 'participant' && row.present;
  return { event: present ? 'chat.participant.added' : 'chat.participant.removed', payload };
}

/** Whose participation the rows are about: of these a payload says whether they are online. */
export const concernedBy = (rows: readonly ChangedRow[]): string[] =>
  rows.flatMap((row) => (row.kind === 'participant' ? [row.participant.userId] : []));
