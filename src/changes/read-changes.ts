import type { Database } from '../db/database.ts';
import type { ChangeKind } from './kind.ts';
import { kinds } from './kinds.ts';

/** A row of a chat as it is now, under the number of its last change. */
export interface ChangedRow {
  kind: ChangeKind;
  eventSequence: number;
  row: unknown;
}

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
 * @param wanted distinct pairs
 * @param limit rows a chat, a few more where several share a number
 * @param reader takes part in the chats, in the same snapshot; nobody is asked for where it is not given
 * @returns in the order of `wanted`; undefined for a chat that is not there, or not for the reader
 */
export type ReadChanges = (
  database: Database,
  wanted: readonly ChangesWanted[],
  limit: number,
  reader?: string,
) => Promise<(ChangesPage | undefined)[]>;

/**
 * One statement, so that rows and head are of one snapshot. What changed in one commit may share a number, so pages end
 * between numbers, never within one. Each chat, and whether the reader takes part in it, is looked up by itself: a join could
 * become a scan of all chats, or of all chats of the reader, in a plan that was made while there were few.
 */
const changesSql = (
  rowsOfKinds: readonly string[],
  where: string,
) => `SELECT w.chat_id AS "chatId", w.after, c.last_event_sequence AS head, change.*
FROM unnest($1::uuid[], $2::bigint[]) AS w (chat_id, after)
CROSS JOIN LATERAL (
  SELECT x.id, x.last_sequence, x.last_event_sequence FROM chats x WHERE x.id = w.chat_id LIMIT 1
) c
LEFT JOIN LATERAL (
  SELECT * FROM (
    ${rowsOfKinds.map((rows, at) => `(SELECT ${at} AS kind, x."eventSequence", x.row FROM (${rows}) x)`).join(' UNION ALL ')}
  ) any_kind
  ORDER BY "eventSequence"
  FETCH FIRST ($3::int) ROWS WITH TIES
) change ON true
${where}
ORDER BY w.chat_id, w.after, change."eventSequence"`;

const readerTakesPart = `WHERE (
  SELECT me.left_at IS NULL FROM chat_participants me WHERE me.chat_id = w.chat_id AND me.user_id = $4::uuid
)`;

interface Row {
  chatId: string;
  after: number;
  head: number;
  /** These three are null for a chat without changes after the number. */
  kind: number | null;
  eventSequence: number | null;
  row: unknown;
}

/** @param ofEvents the table of kinds: each is read once, however many names it has */
export function createReadChanges(ofEvents: Readonly<Record<string, ChangeKind>>): ReadChanges {
  const all = [...new Set(Object.values(ofEvents))];
  const rowsOfKinds = all.map(({ rows }) => rows);
  const forAll = changesSql(rowsOfKinds, '');
  const forReader = changesSql(rowsOfKinds, readerTakesPart);

  return async (database, wanted, limit, reader) => {
    const chatIds = wanted.map(({ chatId }) => chatId);
    const afters = wanted.map(({ after }) => after);
    const rows =
      reader === undefined
        ? await database.query<Row>(forAll, [chatIds, afters, limit])
        : await database.query<Row>(forReader, [chatIds, afters, limit, reader]);
    const pages = new Map<string, ChangesPage>();
    for (const { chatId, after, head, eventSequence, row, ...changed } of rows) {
      const key = `${chatId} ${after}`;
      let page = pages.get(key);
      if (!page) {
        page = { chatId, after, through: head, head, rows: [] };
        pages.set(key, page);
      }
      const kind = all[changed.kind ?? -1];
      if (kind && eventSequence !== null) page.rows.push({ kind, eventSequence, row });
    }
    for (const page of pages.values()) {
      if (page.rows.length >= limit) page.through = page.rows.at(-1)?.eventSequence ?? page.head;
    }
    return wanted.map(({ chatId, after }) => pages.get(`${chatId} ${after}`));
  };
}

export const readChanges = createReadChanges(kinds);
