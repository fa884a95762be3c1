import { countUnread } from '../../client/src/state/unread.ts';
import { mostLookedAt, mostUnread } from '../../src/db/queries/membership-columns.ts';
import type { Membership } from '../../src/shared/contract.ts';
import { type Evidence, slim } from '../evidence.ts';
import type { ClientHistory, MessageRow, ParticipantRow } from '../history.ts';
import { createUnreadChats, type UnreadChats } from '../unread.ts';
import { createTally, type Tally, type Verdict } from '../verdict.ts';

/** I11 */
export function unreadCounts(evidence: Evidence): Verdict {
  const tally = createTally(
    'I11',
    'each device knows how far its user has read, and counts what the server counts and scrolling finds',
  );
  const { history, rowsByChat } = evidence;
  const active = history.database.participants.filter((row) => row.active);
  for (const row of active) {
    tally.check();
    const found = scroll(rowsByChat.get(row.chatId) ?? [], row.userId, row.lastReadSequence);
    if (found === row.unreadCount) continue;
    tally.violate(
      'server counts otherwise',
      () =>
        `the server counts ${row.unreadCount} in chat ${row.chatId} for ${row.userId}, scrolling ${found}`,
      () => [row],
    );
  }
  const byUser = Map.groupBy(active, ({ userId }) => userId);
  for (const client of history.clients) {
    const chats = createUnreadChats(client.userId);
    for (const record of client.records) {
      chats.take(record);
      if (record.kind === 'membership' && !evidence.deleted.has(record.membership.chatId))
        whenTold(tally, evidence, client, record.membership);
    }
    for (const row of byUser.get(client.userId) ?? []) atTheEnd(tally, client, chats, row);
  }
  return tally.verdict();
}

/** What is unread after the marker, of what there was at an event of the chat. */
function scroll(
  rows: readonly MessageRow[],
  userId: string,
  marker: number,
  at = Number.POSITIVE_INFINITY,
): number {
  let found = 0;
  for (const { sequence, number, senderId, deleted, version } of rows) {
    if (number > at || sequence <= marker || sequence > marker + mostLookedAt || senderId === userId)
      continue;
    if (!deleted || (version ?? 0) > at) found += 1;
  }
  return Math.min(found, mostUnread);
}

/** Each membership says the numbers with which its count belongs together. */
function whenTold(
  tally: Tally,
  { rowsByChat }: Evidence,
  client: ClientHistory,
  membership: Membership,
): void {
  const { chatId, lastReadSequence, unreadCount, eventSequence } = membership;
  tally.check();
  const found = scroll(rowsByChat.get(chatId) ?? [], client.userId, lastReadSequence, eventSequence);
  if (found === unreadCount) return;
  tally.violate(
    'told otherwise',
    () =>
      `${client.name} was told of ${unreadCount} unread in chat ${chatId} at ${eventSequence}: there were ${found}`,
    () => [membership],
  );
}

function atTheEnd(tally: Tally, client: ClientHistory, chats: UnreadChats, row: ParticipantRow): void {
  const { chatId, userId } = row;
  const unread = chats.of(chatId);
  const { version, lastReadSequence } = unread.membership;
  const { unreadCount, stale } = countUnread(unread, userId);
  const violate = (kind: string, what: string) =>
    tally.violate(
      kind,
      () => `${client.name} ${what} in chat ${chatId}`,
      () => [row, unread.membership, ...aboutUnread(client, chatId)],
    );
  tally.check();
  if (version !== row.version || lastReadSequence !== row.lastReadSequence) {
    violate(
      'other membership',
      `has read to ${lastReadSequence} (version ${version}), its user to ${row.lastReadSequence} (version ${row.version})`,
    );
  } else if (stale) violate('unknown', 'cannot know what is unread, and has not read it');
  else if (unreadCount !== row.unreadCount) {
    violate('other count', `counts ${unreadCount} unread, the server ${row.unreadCount}`);
  }
}

const shown = 24;

/** The last that this device was told of how far its user has read, there and elsewhere, and its connections. */
const aboutUnread = ({ records }: ClientHistory, chatId: string): unknown[] =>
  records
    .filter(({ kind }) => ['membership', 'connecting', 'ready', 'disconnected', 'reset'].includes(kind))
    .slice(-shown)
    .map((record) => slim(record, chatId));
