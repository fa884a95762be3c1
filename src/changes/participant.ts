import * as v from 'valibot';
import {
  joinUser,
  participantColumns,
  type StoredParticipant,
  toParticipant,
} from '../db/queries/participant-columns.ts';
import type { ParticipantEvent } from '../shared/contract.ts';
import { counter, id, participantSchema } from '../shared/schemas.ts';
import type { ChangeKind } from './kind.ts';

interface Row {
  participant: StoredParticipant;
  present: boolean;
  /** The chat is deleted. */
  ended?: boolean;
}

/** They come by an index that is for those alone who say `>= 0`. */
const rows = `SELECT p.changed_event_sequence AS "eventSequence",
  json_build_object('participant', row_to_json(shown), 'present', p.left_at IS NULL, 'ended', c.deleted_at IS NOT NULL) AS row
FROM chat_participants p
${joinUser('p', 'u')}
CROSS JOIN LATERAL (SELECT ${participantColumns('p', 'u')}) shown
WHERE p.chat_id = c.id AND p.changed_event_sequence > w.after AND p.changed_event_sequence >= 0
ORDER BY p.changed_event_sequence
FETCH FIRST ($3::int) ROWS WITH TIES`;

/**
 * Somebody came, left, or has another role, which goes as added too. Those whom one request added share a number, and so do all
 * who were in a chat that was deleted, of whom each is told of themselves alone.
 */
export const participant: ChangeKind<ParticipantEvent, Row> = {
  payload: v.pipe(
    v.object({
      chatId: id,
      participant: participantSchema,
      participants: v.exactOptional(v.array(participantSchema)),
      eventSequence: counter,
    }),
    v.metadata({ ref: 'ParticipantEvent' }),
  ),
  believed: false,
  rows,
  together: ({ present }) => present,
  userOf: (row) => row.participant.userId,
  tell({ chatId, eventSequence }, changed, online) {
    const userIds = changed.map((row) => row.participant.userId);
    const shown = ({ participant }: Row) => toParticipant(participant, online);
    const payload = {
      chatId,
      participant: shown(changed[0]),
      ...(changed.length > 1 ? { participants: changed.map(shown) } : {}),
      eventSequence,
    };
    return changed[0].present
      ? { chatId, eventSequence, event: 'chat.participant.added', came: userIds, payload }
      : {
          ...{ chatId, eventSequence, event: 'chat.participant.removed', went: userIds, payload },
          ...(changed[0].ended ? { onlyTo: changed[0].participant.userId } : {}),
        };
  },
};
