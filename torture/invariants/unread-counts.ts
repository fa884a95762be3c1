import { countUnread } from '../../client/src/state/unread.ts';
import { mostLookedAt, mostUnread } from '../../src/db/queries/membership-columns.ts';
import type { Membership, Mentions } from '../../src/shared/contract.ts';
import { type Evidence, slim } from '../evidence.ts';
import { type ClientHistory, keyOf } from '../history.ts';
import type { MessageRow, ParticipantRow } from '../rows.ts';
import { createUnreadChats, type UnreadChats } from '../unread.ts';
import { createTally, type Tally, type Verdict } from '../verdict.ts';

/** I11 */
export function unreadCounts(evidence: Evidence): Verdict {
  const tally = createTally(
    'I11',
    'each device knows how far its user has read, and counts what the server counts and scrolling finds, mentions too',
  );
  const { history, rowsByChat } = evidence;
  const active = history.database.participants.filter((row) => row.active);
  for (const row of active) {
    tally.check();
    const found = scroll(rowsByChat.get(row.chatId) ?? [], row.userId, row.lastReadSequence);
    const violate = (kind: string, what: string) =>
      tally.violate(
        kind,
        () => `the server counts ${what} in chat ${row.chatId} for ${row.userId}`,
        () => [row],
      );
    if (found.unread !== row.unreadCount) {
      violate('server counts otherwise', `${row.unreadCount}, scrolling ${found.unread}`);
    }
    if (found.mentions !== row.unreadMentionCount) {
      violate(
        'server counts other mentions',
        `${row.unreadMentionCount} mentions, scrolling ${found.mentions}`,
      );
    }
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

interface Found {
  unread: number;
  mentions: number;
  /** With all that were changed later, and may have mentioned them before that. */
  mostMentions: number;
}

/** What is unread after the marker, of what there was at an event of the chat. */
function scroll(
  rows: readonly MessageRow[],
  userId: string,
  marker: number,
  { at, mayHaveMentioned }: { at: number; mayHaveMentioned: (row: MessageRow) => boolean } = settled,
): Found {
  let [unread, mentions, changed] = [0, 0, 0];
  for (const row of rows) {
    const { sequence, number, senderId, deleted } = row;
    if (number > at || sequence <= marker || sequence > marker + mostLookedAt || senderId === userId)
      continue;
    const changedLater = (row.version ?? 0) > at;
    if (deleted && !changedLater) continue;
    unread += 1;
    if (changedLater) changed += Number(mayHaveMentioned(row));
    else if (row.mentions) mentions += Number(isMentioned(row.mentions, userId));
  }
  const counted = (count: number) => Math.min(count, mostUnread);
  return { unread: counted(unread), mentions: counted(mentions), mostMentions: counted(mentions + changed) };
}
const settled = { at: Number.POSITIVE_INFINITY, mayHaveMentioned: () => false };

const isMentioned = ({ everyone, userIds }: Mentions, userId: string): boolean =>
  everyone === true || userIds.includes(userId);

/** Each membership says the numbers with which its count belongs together. */
function whenTold(
  tally: Tally,
  { rowsByChat, postsByKey, changesById }: Evidence,
  client: ClientHistory,
  membership: Membership,
): void {
  const { chatId, lastReadSequence, unreadCount, unreadMentionCount, eventSequence } = membership;
  tally.check();
  const mayHaveMentioned = (row: MessageRow): boolean =>
    [postsByKey.get(keyOf(row))?.extras, ...(changesById.get(row.id) ?? [])].some(
      (asked) => asked?.mentions && isMentioned(asked.mentions, client.userId),
    );
  const found = scroll(rowsByChat.get(chatId) ?? [], client.userId, lastReadSequence, {
    ...{ at: eventSequence, mayHaveMentioned },
  });
  const violate = (kind: string, what: string) =>
    tally.violate(
      kind,
      () => `${client.name} was told of ${what} in chat ${chatId} at ${eventSequence}`,
      () => [membership],
    );
  if (found.unread !== unreadCount) {
    violate('told otherwise', `${unreadCount} unread, there were ${found.unread},`);
  }
  if (unreadMentionCount < found.mentions || unreadMentionCount > found.mostMentions) {
    const there = `${found.mentions} to ${found.mostMentions}`;
    violate('told of other mentions', `${unreadMentionCount} mentions, there were ${there},`);
  }
}

function atTheEnd(tally: Tally, client: ClientHistory, chats: UnreadChats, row: ParticipantRow): void {
  const { chatId, userId } = row;
  const unread = chats.of(chatId);
  const { version, lastReadSequence } = unread.membership;
  const { unreadCount, unreadMentionCount, stale } = countUnread(unread, userId);
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
  } else if (unreadMentionCount !== row.unreadMentionCount) {
    violate('other mentions', `counts ${unreadMentionCount} mentions, the server ${row.unreadMentionCount}`);
  }
}

const shown = 24;

/** The last that this device was told of how far its user has read, there and elsewhere, and its connections. */
const aboutUnread = ({ records }: ClientHistory, chatId: string): unknown[] =>
  records
    .filter(({ kind }) => ['membership', 'connecting', 'ready', 'disconnected', 'reset'].includes(kind))
    .slice(-shown)
    .map((record) => slim(record, chatId));
