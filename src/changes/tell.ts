import type { ChatChange } from '../shared/contract.ts';
import type { ChangeHead } from '../shared/notifications/notifications.ts';
import type { Told } from './kind.ts';
import type { ChangedRow } from './read-changes.ts';

/** The rows of a page, ascending, as events; those together that are told by one. */
export function tell(chatId: string, rows: readonly ChangedRow[], online: ReadonlySet<string>): Told[] {
  const groups: [ChangedRow, ...ChangedRow[]][] = [];
  for (const one of rows) {
    const group = groups.at(-1);
    const [first] = group ?? [];
    const together =
      first?.kind === one.kind &&
      first.eventSequence === one.eventSequence &&
      one.kind.together?.(first.row, one.row);
    if (group && together) group.push(one);
    else groups.push([one]);
  }
  return groups.map(([{ kind, eventSequence, row }, ...others]) =>
    kind.tell({ chatId, eventSequence, rows: [row, ...others.map((other) => other.row)] }, online),
  );
}

/** Of whom the events of these rows say whether they are online. */
export const concernedBy = (rows: readonly ChangedRow[]): string[] =>
  rows.flatMap(({ kind, row }) => kind.userOf?.(row) ?? []);

/** The name by which this user's own devices are told. */
export const eventFor = (userId: string, { event, actorId, actorEvent = event }: ChangeHead) =>
  userId === actorId ? actorEvent : event;

/** The change as this one user is told of it. */
export const changeFor = (userId: string, told: Told): ChatChange =>
  // Which payload a name has the table of kinds says.
  ({ event: eventFor(userId, told), payload: told.payload }) as ChatChange;
