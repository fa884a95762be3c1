import type { ChangeKind, ChangeKinds } from './kind.ts';

export const distinctKinds = (ofEvents: ChangeKinds): ChangeKind[] => [...new Set(Object.values(ofEvents))];

/** Each chat is looked up by itself: a join could become a scan of all chats, in a plan that was made while there were few. */
export const chatOfEach =
  'SELECT x.id, x.last_sequence, x.last_event_sequence, x.deleted_at FROM chats x WHERE x.id = w.chat_id LIMIT 1';

/**
 * SQL of what changed in the chat `c` after `w.after`, so much of each range as `$3` says, with its kind's place among the kinds:
 * what says itself when it changed, then all of `chat_changes`. Of what was said in a deleted chat there is nothing to tell.
 */
export function rangesOf(kinds: readonly ChangeKind[]): string {
  const numbered = [...kinds.entries()];
  const own = numbered.flatMap(([at, kind]) =>
    'rows' in kind ? [`SELECT ${at} AS kind, x."eventSequence", x.row FROM (${kind.rows}) x`] : [],
  );
  const changed = numbered.flatMap(([at, kind]) => ('changedKind' in kind ? [{ at, ...kind }] : []));
  const caseOf = (value: (of: (typeof changed)[number]) => string | number, otherwise: string | number) =>
    `CASE ${changed.map((of) => `WHEN changed.kind = '${of.changedKind}' THEN ${value(of)} `).join('')}WHEN true THEN ${otherwise} END`;
  const chatChanges = `SELECT x.kind, x.key, x.event_sequence FROM chat_changes x
    WHERE x.chat_id = c.id AND x.event_sequence > w.after AND c.deleted_at IS NULL
    ORDER BY x.event_sequence FETCH FIRST ($3::int) ROWS WITH TIES`;
  return [
    ...own,
    `SELECT ${caseOf(({ at }) => at, unknownKind)} AS kind, changed.event_sequence AS "eventSequence",
      ${caseOf(({ row }) => `(${row})`, 'NULL::json')} AS row
    FROM (${chatChanges}) changed`,
  ]
    .map((range) => `(${range})`)
    .join(' UNION ALL ');
}

/** Of a newer version. */
export const unknownKind = -1;
