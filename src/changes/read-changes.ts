import type { Database } from '../db/database.ts';
import { showsPresence } from '../db/queries/presence.ts';
import type { SyncResetEvent } from '../shared/contract.ts';
import type { Presence } from '../shared/ports/presence.ts';
import type { ChangeKinds } from './kind.ts';
import { chatOfEach, distinctKinds, rangesOf, unknownKind } from './ranges.ts';
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
 * between numbers, never within one. Whether the reader takes part in a chat is looked up by itself: a join could become a scan of
 * all chats of the reader, in a plan that was made while there were few.
 */
const changesSql = (
  ranges: string,
  where: string,
) => `/* changes */ SELECT w.chat_id AS "chatId", w.after, c.last_event_sequence AS head, change.*
FROM unnest($1::uuid[], $2::bigint[]) AS w (chat_id, after)
CROSS JOIN LATERAL (${chatOfEach}) c
LEFT JOIN LATERAL (
  SELECT * FROM (
    ${ranges}
  ) any_kind
  ORDER BY "eventSequence"
  FETCH FIRST ($3::int) ROWS WITH TIES
) change ON true
${where}
ORDER BY w.chat_id, w.after, change."eventSequence", change.kind`;

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
  const kinds = distinctKinds(ofEvents);
  const ranges = rangesOf(kinds);
  const forAll = changesSql(ranges, '');
  const forReader = changesSql(ranges, readerTakesPart);
  const kindOf = (row: Row) => kinds[row.kind ?? -1];

  function tell(rows: readonly Row[], online: ReadonlySet<string>): Told[] {
    const lastUntold = rows.findLast(isUntold);
    const togetherOrNot = (row: Row) =>
      kindOf(row)?.together?.(row.row) ? `${row.kind} ${row.eventSequence}` : row;
    return [...Map.groupBy(rows, togetherOrNot).values()].flatMap(([first, ...others]) => {
      if (first && isUntold(first)) return first === lastUntold ? reset(first) : [];
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
    const hidden = concerned.size > 0 && reader !== undefined && !(await showsPresence(database, reader));
    const online = await presence.online(hidden ? [] : [...concerned]);
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

/** Of a kind that only a newer version knows, or of something that somebody took away by hand. */
const isUntold = ({ kind, row }: Row): boolean => kind === unknownKind || (kind !== null && row === null);

/** What cannot be told is not left out either: whoever hears this reads the chat. Once a page, for all that there is of it. */
const reset = ({ chatId, eventSequence }: Row): Told<SyncResetEvent> => ({
  chatId,
  eventSequence,
  event: 'chat.sync.reset',
  payload: { chatId, eventSequence },
});
