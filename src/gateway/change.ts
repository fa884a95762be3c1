import type { Database } from '../db/database.ts';
import type { ChangedRow, ChangesPage } from '../db/queries/changes.ts';
import { readChanges } from '../db/queries/changes.ts';
import type { MessageEvent, ParticipantEvent } from '../shared/contract.ts';
import type { Presence } from '../shared/presence/presence.ts';
import { createBatcher } from './batch.ts';

/** One durable change of a chat, as sockets are told of it; `body` is the JSON text of the event's payload. */
export type Change =
  | { kind: 'message'; eventSequence: number; senderId: string; body: string }
  | { kind: 'participant'; eventSequence: number; userId: string; present: boolean; body: string };

/** All changes in `(after, through]`, ascending; the chat's last number was `head`. */
export interface Page {
  after: number;
  through: number;
  head: number;
  changes: Change[];
}

/** Undefined for a chat that is not there. */
export type ReadPage = (chatId: string, after: number) => Promise<Page | undefined>;

/** Rows of a chat at once, and chats in one statement: a thousand long messages at most are held. */
const pageRows = 100;
const mostChats = 20;

/** Reads pages for the sequencer; those asked for at the same time come in one statement. */
export function createReadPage(deps: { database: Database; presence: Presence }): ReadPage {
  const load = createBatcher<{ chatId: string; after: number }, ChangesPage | undefined>({
    load: (wanted) => readChanges(deps.database, wanted, pageRows),
    keyOf: ({ chatId, after }) => `${chatId} ${after}`,
    mostKeys: mostChats,
  });
  return async (chatId, after) => {
    const page = await load({ chatId, after });
    if (!page) return undefined;
    const online = await onlineOf(deps.presence, page.rows);
    return {
      after: page.after,
      through: page.through,
      head: page.head,
      changes: page.rows.map((row) => toChange(chatId, row, online)),
    };
  };
}

async function onlineOf(presence: Presence, rows: readonly ChangedRow[]): Promise<ReadonlySet<string>> {
  const userIds = rows.flatMap((row) => (row.kind === 'participant' ? [row.participant.userId] : []));
  return userIds.length === 0 ? new Set() : presence.online(userIds);
}

function toChange(chatId: string, row: ChangedRow, online: ReadonlySet<string>): Change {
  const { eventSequence } = row;
  if (row.kind === 'message') {
    const event: MessageEvent = { chatId, message: row.message, eventSequence };
    return { kind: 'message', eventSequence, senderId: row.message.senderId, body: JSON.stringify(event) };
  }
  const { userId } = row.participant;
  const participant = { ...row.participant, online: online.has(userId) };
  const event: ParticipantEvent = { chatId, participant, eventSequence };
  return { kind: 'participant', eventSequence, userId, present: row.present, body: JSON.stringify(event) };
}
