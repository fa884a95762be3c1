import type { MessageEdit } from '../../shared/contract.ts';
import type { Database } from '../database.ts';
import type { StoredKey } from './history.ts';

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

const editMessageSql = `/* edit_message */ SELECT ${outcomeColumns}
FROM edit_message($1::text::uuid, $2::uuid, $3::uuid, $4::text, $5::text::json, $6::text::json, $7::int, $8::boolean)`;

/** @param windowSeconds after it was sent; undefined: always */
export async function editMessage(
  database: Database,
  { chatId, messageId, actorId, byService }: MessageToChange & { actorId: string; byService: boolean },
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
const deleteMessageSql = `/* delete_message */ SELECT ${outcomeColumns} FROM delete_message($1::text::uuid, $2::uuid, $3::uuid)`;

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
