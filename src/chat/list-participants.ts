import * as v from 'valibot';
import type { Database } from '../db/database.ts';
import { listParticipants, participantsStart } from '../db/queries/participants.ts';
import type { Page, Participant } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { Presence } from '../shared/ports/presence.ts';
import { counterPart, decodeCursor, encodeCursor, idPart, instantPart } from './cursor.ts';
import { withOnline } from './online.ts';

export type ListParticipants = (input: {
  chatId: string;
  userId: string;
  limit: number;
  cursor?: string | undefined;
}) => Promise<Page<Participant>>;

const position = v.pipe(
  v.strictTuple([instantPart, counterPart, idPart]),
  v.transform(([joinedAt, createdEventSequence, userId]) => ({ joinedAt, createdEventSequence, userId })),
);

/**
 * Longest members first.
 * @throws ChatError `chat_not_found`, `validation_failed` for a cursor of nobody's making
 */
export function createListParticipants(deps: { database: Database; presence: Presence }): ListParticipants {
  return async ({ chatId, userId, limit, cursor }) => {
    const after = cursor === undefined ? participantsStart : decodeCursor(position, cursor);
    const found = await listParticipants(deps.database, chatId, userId, after, limit + 1);
    if (!found) throw new ChatError('chat_not_found');
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return {
      data: await withOnline(deps.presence, page),
      nextCursor:
        last && found.length > limit
          ? encodeCursor([Date.parse(last.joinedAt), last.createdEventSequence, last.userId])
          : null,
    };
  };
}
