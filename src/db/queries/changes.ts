import type { Message } from '../../shared/contract.ts';
import type { Database } from '../database.ts';
import { messageColumns } from './message-columns.ts';
import { joinUser, participantColumns, type StoredParticipant } from './participant-columns.ts';

/** A row of a chat as it is now, under the number of its last change. */
export type ChangedRow =
  | { kind: 'message'; eventSequence: number; message: Message }
  | { kind: 'participant'; eventSequence: number; participant: StoredParticipant; present: boolean };

export interface ChangesPage {
  chatId: string;
  /** Exclusive: where the page begins. */
  after: number;
  /** Inclusive: all rows changed in `(after, through]` are here. */
  through: number;
  /** The chat's last number in the same snapshot; beyond `through` there is a further page. */
  head: number;
  /** Ascending by `eventSequence`. */
  rows: ChangedRow[];
}

export interface ChangesWanted {
  chatId: string;
  after: number;
}

/**
 * One statement, so that rows and head are of one snapshot. A chat's numbers count messages and participants together, so
 * the messages after a number are among the last `head - number` ones: a range of the primary key, with no index on
 * `event_sequence`. Participants that changed in one commit may share a number, so pages end between numbers, never
 * within one; they come by an index that is for those alone who say `>= 0`. Each chat, and whether the reader takes part in
 * it, is looked up by itself: a join could become a scan of all chats, or of all chats of the reader, in a plan that was made
 * while there were few.
 */
const changesSql = (
  where: string,
) => `SELECT w.chat_id AS "chatId", w.after, c.last_event_sequence AS head, change.*
FROM unnest($1::uuid[], $2::bigint[]) AS w (chat_id, after)
CROSS JOIN LATERAL (
  SELECT x.id, x.last_sequence, x.last_event_sequence FROM chats x WHERE x.id = w.chat_id LIMIT 1
) c
LEFT JOIN LATERAL (
  SELECT * FROM (
    (
      SELECT m.event_sequence AS "eventSequence", row_to_json(shown) AS message,
        NULL::json AS participant, NULL::boolean AS present
      FROM messages m
      CROSS JOIN LATERAL (SELECT ${messageColumns('m')}) shown
      WHERE m.chat_id = c.id
        AND m.sequence > c.last_sequence - (c.last_event_sequence - w.after)
        AND m.event_sequence > w.after
      ORDER BY m.sequence
      LIMIT $3::int
    )
    UNION ALL
    (
      SELECT p.changed_event_sequence, NULL::json, row_to_json(shown), p.left_at IS NULL
      FROM chat_participants p
      ${joinUser('p', 'u')}
      CROSS JOIN LATERAL (SELECT ${participantColumns('p', 'u')}) shown
      WHERE p.chat_id = c.id AND p.changed_event_sequence > w.after AND p.changed_event_sequence >= 0
      ORDER BY p.changed_event_sequence
      FETCH FIRST ($3::int) ROWS WITH TIES
    )
  ) either
  ORDER BY "eventSequence"
  FETCH FIRST ($3::int) ROWS WITH TIES
) change ON true
${where}
ORDER BY w.chat_id, w.after, change."eventSequence"`;

const forAll = changesSql('');
const forReader = changesSql(`WHERE (
  SELECT me.left_at IS NULL FROM chat_participants me WHERE me.chat_id = w.chat_id AND me.user_id = $4::uuid
)`);

interface Row {
  chatId: string;
  after: number;
  head: number;
  eventSequence: number | null;
  message: Message | null;
  participant: StoredParticipant | null;
  present: boolean | null;
}

/**
 * @param wanted distinct pairs
 * @param limit rows a chat, a few more where participants share a number
 * @param reader takes part in the chats, in the same snapshot; nobody is asked for where it is not given
 * @returns in the order of `wanted`; undefined for a chat that is not there, or not for the reader
 */
export async function readChanges(
  database: Database,
  wanted: readonly ChangesWanted[],
  limit: number,
  reader?: string,
): Promise<(ChangesPage | undefined)[]> {
  const chatIds = wanted.map(({ chatId }) => chatId);
  const afters = wanted.map(({ after }) => after);
  const rows =
    reader === undefined
      ? await database.query<Row>(forAll, [chatIds, afters, limit])
      : await database.query<Row>(forReader, [chatIds, afters, limit, reader]);
  const pages = new Map<string, ChangesPage>();
  for (const row of rows) {
    const key = `${row.chatId} ${row.after}`;
    let page = pages.get(key);
    if (!page) {
      page = { chatId: row.chatId, after: row.after, through: row.head, head: row.head, rows: [] };
      pages.set(key, page);
    }
    const changed = toChangedRow(row);
    if (changed) page.rows.push(changed);
  }
  for (const page of pages.values()) {
    if (page.rows.length >= limit) page.through = page.rows.at(-1)?.eventSequence ?? page.head;
  }
  return wanted.map(({ chatId, after }) => pages.get(`${chatId} ${after}`));
}

function toChangedRow({ eventSequence, message, participant, present }: Row): ChangedRow | undefined {
  if (eventSequence === null) return undefined;
  if (message) return { kind: 'message', eventSequence, message };
  if (participant) return { kind: 'participant', eventSequence, participant, present: present === true };
  return undefined;
}
