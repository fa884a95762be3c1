import type { Database } from '../db/database.ts';
import type { Presence } from '../shared/ports/presence.ts';
import type { ChangeKinds } from './kind.ts';
import type { Told } from './told.ts';

export interface ChangesPage {
  /** Exclusive: where the page begins. */
  after: number;
  /** Inclusive: all rows changed in `(after, through]` are here. */
  through: number;
  /** The chat's last number in the same snapshot; beyond `through` there is a further page. */
  head: number;
  /** Of the rows as they are now, under the numbers of their last changes, ascending. */
  changes: Told[];
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
  sqlOfKinds: readonly string[],
  where: string,
) => `SELECT w.chat_id AS "chatId", w.after, c.last_event_sequence AS head, change.*
FROM unnest($1::uuid[], $2::bigint[]) AS w (chat_id, after)
CROSS JOIN LATERAL (
  SELECT x.id, x.last_sequence, x.last_event_sequence FROM chats x WHERE x.id = w.chat_id LIMIT 1
) c
LEFT JOIN LATERAL (
  SELECT * FROM (
    ${sqlOfKinds.map((rows, at) => `(SELECT ${at} AS kind, x."eventSequence", x.row FROM (${rows}) x)`).join(' UNION ALL ')}
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
  /** Null, as what follows, for a chat without changes after the number. */
  kind: number | null;
  eventSequence: number;
  row: unknown;
}

export function createReadChanges(
  ofEvents: ChangeKinds,
  { database, presence }: { database: Database; presence: Presence },
): ReadChanges {
  const kinds = [...new Set(Object.values(ofEvents))];
  const sqlOfKinds = kinds.map(({ rows }) => rows);
  const forAll = changesSql(sqlOfKinds, '');
  const forReader = changesSql(sqlOfKinds, readerTakesPart);
  const kindOf = (row: Row) => kinds[row.kind ?? -1];

  function tell(rows: readonly Row[], online: ReadonlySet<string>): Told[] {
    const togetherOrNot = (row: Row) => (kindOf(row)?.together ? `${row.kind} ${row.eventSequence}` : row);
    return [...Map.groupBy(rows, togetherOrNot).values()].flatMap(([first, ...others]) => {
      const kind = first && kindOf(first);
      return kind ? kind.tell(first, [first.row, ...others.map(({ row }) => row)], online) : [];
    });
  }

  return async (wanted, limit, reader) => {
    const chatIds = wanted.map(({ chatId }) => chatId);
    const afters = wanted.map(({ after }) => after);
    const rows =
      reader === undefined
        ? await database.query<Row>(forAll, [chatIds, afters, limit])
        : await database.query<Row>(forReader, [chatIds, afters, limit, reader]);
    const concerned = new Set(rows.flatMap((row) => kindOf(row)?.userOf?.(row.row) ?? []));
    const online = await presence.online([...concerned]);
    const pages = Map.groupBy(rows, ({ chatId, after }) => `${chatId} ${after}`);
    return wanted.map(({ chatId, after }) => {
      const page = pages.get(`${chatId} ${after}`);
      const last = page?.at(-1);
      if (!page || !last) return undefined;
      const through = page.length >= limit && last.kind !== null ? last.eventSequence : last.head;
      return { after, through, head: last.head, changes: tell(page, online) };
    });
  };
}
