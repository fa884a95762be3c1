import type { MessageEdit } from '../../shared/contract.ts';
import type { Database } from '../database.ts';
import type { StoredKey } from './history.ts';
import { messageWithId } from './message-columns.ts';

export interface MessageToChange {
  chatId: string;
  messageId: string;
}

/** `eventSequence` is the number of the change. What is `unchanged` was so before. */
export type ChangeOutcome<Change extends string, Refusal extends string> =
  | ({ outcome: Change } & StoredKey & { eventSequence: number })
  | ({ outcome: 'unchanged' } & StoredKey)
  | { outcome: Refusal };

export type ChangeRefusal = 'chat_not_found' | 'message_not_found' | 'not_allowed';

const outcomeColumns = '$1::text AS "chatId", outcome, sequence, event_sequence AS "eventSequence"';

/**
 * What the host's backend alone sends nobody else edits: the function is asked for an edit of nothing then, which says whether there
 * is a message that this sender might edit.
 */
const editMessageSql = `SELECT $1::text AS "chatId",
  CASE WHEN message.kept AND outcome = 'unchanged' THEN 'not_allowed' ELSE outcome END AS outcome,
  sequence, event_sequence AS "eventSequence"
FROM (
  SELECT NOT $8::boolean AND EXISTS (
    SELECT FROM (${messageWithId('$1::text::uuid', '$2::uuid')}) m WHERE m.message_type = 'system'
  ) AS kept OFFSET 0
) message
CROSS JOIN LATERAL edit_message($1::text::uuid, $2::uuid, $3::uuid, CASE WHEN NOT message.kept THEN $4::text END,
  CASE WHEN NOT message.kept THEN $5::text::json END, CASE WHEN NOT message.kept THEN $6::text::json END, $7::int)`;

/** @param windowSeconds after it was sent; undefined: always */
export async function editMessage(
  database: Database,
  {
    chatId,
    messageId,
    actorId,
    byService = false,
  }: MessageToChange & { actorId: string; byService?: boolean },
  { content, mentions, metadata }: MessageEdit,
  windowSeconds: number | undefined,
) {
  return oneOf(
    await database.query<ChangeOutcome<'edited', ChangeRefusal | 'message_deleted' | 'edit_window_closed'>>(
      editMessageSql,
      [
        ...[chatId, messageId, actorId, content ?? null],
        ...[jsonOrNull(mentions), jsonOrNull(metadata), windowSeconds ?? null, byService],
      ],
    ),
  );
}

/** By nobody: by the host's backend. */
const deleteMessageSql = `SELECT ${outcomeColumns} FROM delete_message($1::text::uuid, $2::uuid, $3::uuid)`;

export async function deleteMessage(
  database: Database,
  { chatId, messageId, actorId }: MessageToChange & { actorId: string | undefined },
) {
  return oneOf(
    await database.query<ChangeOutcome<'deleted', ChangeRefusal>>(deleteMessageSql, [
      chatId,
      messageId,
      actorId ?? null,
    ]),
  );
}

const jsonOrNull = (value: object | undefined) => (value === undefined ? null : JSON.stringify(value));

function oneOf<Outcome>([outcome]: readonly Outcome[]): Outcome {
  if (!outcome) throw new Error('the change of a message has no outcome');
  return outcome;
}
