import type { ChangedRow } from '../db/queries/changes.ts';
import type { StoredParticipant } from '../db/queries/participant-columns.ts';
import type { ChatChange, Message, MessageEvent, ParticipantEvent } from '../shared/contract.ts';

/** What one event tells: a message, or the participants who came, or went, under one number. */
export type ToldChange =
  | { kind: 'message'; eventSequence: number; message: Message }
  | {
      kind: 'participants';
      eventSequence: number;
      participants: [StoredParticipant, ...StoredParticipant[]];
      present: boolean;
    };

/** The rows of a page, ascending, with those together that one request added. */
export function toldChanges(rows: readonly ChangedRow[]): ToldChange[] {
  const told: ToldChange[] = [];
  for (const row of rows) {
    if (row.kind === 'message') {
      told.push(row);
      continue;
    }
    const { eventSequence, present, participant } = row;
    const last = told.at(-1);
    const together =
      last?.kind === 'participants' && last.eventSequence === eventSequence && last.present === present;
    if (together) last.participants.push(participant);
    else told.push({ kind: 'participants', eventSequence, present, participants: [participant] });
  }
  return told;
}

/** What an event of this change carries, to whomever it goes. */
export function changePayload(
  chatId: string,
  told: ToldChange,
  online: ReadonlySet<string>,
): MessageEvent | ParticipantEvent {
  const { eventSequence } = told;
  if (told.kind === 'message') return { chatId, message: told.message, eventSequence };
  const [first, ...others] = told.participants;
  const withOnline = (stored: StoredParticipant) => ({ ...stored, online: online.has(stored.userId) });
  const participant = withOnline(first);
  if (others.length === 0) return { chatId, participant, eventSequence };
  return { chatId, participant, participants: [participant, ...others.map(withOnline)], eventSequence };
}

/** The change as this one user is told of it: senders see their own messages as saved. */
export function changeFor(
  userId: string,
  chatId: string,
  told: ToldChange,
  online: ReadonlySet<string>,
): ChatChange {
  const payload = changePayload(chatId, told, online);
  if ('message' in payload) {
    const own = payload.message.senderId === userId;
    return { event: own ? 'chat.message.saved' : 'chat.message.new', payload };
  }
  const present = told.kind === 'participants' && told.present;
  return { event: present ? 'chat.participant.added' : 'chat.participant.removed', payload };
}

/** Whose participation the rows are about: of these a payload says whether they are online. */
export const concernedBy = (rows: readonly ChangedRow[]): string[] =>
  rows.flatMap((row) => (row.kind === 'participant' ? [row.participant.userId] : []));
