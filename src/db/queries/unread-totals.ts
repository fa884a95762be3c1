import type { UnreadTotals } from '../../shared/contract.ts';
import type { Database } from '../database.ts';
import { isUnsettled, mentionCountSql, ownRows, unreadSql } from './membership-columns.ts';

/** How many chats are named, newest activity first. */
const mostNamed = 1_000;

/** Only of chats that have something after the marker messages are looked at, and mostly no more than the first of them. */
const totalsSql = `WITH mine AS MATERIALIZED (
  SELECT me.chat_id, me.user_id, me.last_read_sequence, c.last_sequence, c.last_activity_at,
    me.archived_at IS NOT NULL OR me.muted_until > now() IS TRUE AS quiet
  FROM ${ownRows} me
  CROSS JOIN LATERAL (SELECT x.* FROM chats x WHERE x.id = me.chat_id LIMIT 1) c
  WHERE me.last_read_sequence < c.last_sequence
), looked AS MATERIALIZED (
  SELECT k.*, (${unreadSql('k', 'k', 1)}) AS first FROM mine k
), counted AS (
  SELECT k.*, CASE WHEN k.first IS NULL THEN 0 ELSE ${mentionCountSql('k', 'k')} END AS mentions FROM looked k
), judged AS (
  SELECT k.*, k.first IS NOT NULL AND NOT k.quiet OR k.mentions > 0 AS counts FROM counted k
)
SELECT count(*) FILTER (WHERE k.counts)::int AS "unreadChats", coalesce(sum(k.mentions), 0)::int AS "unreadMentions",
  coalesce((array_agg(k.chat_id ORDER BY k.last_activity_at DESC) FILTER (WHERE k.counts))[1:${mostNamed}], '{}') AS "chatIds",
  coalesce(array_agg(k.chat_id) FILTER (WHERE ${isUnsettled('k', 'k', 'k.first')}), '{}') AS unsettled
FROM judged k`;

/** Of all of a user's chats. Those that are unsettled may be unread beyond what was looked at. */
export async function readUnreadTotals(
  database: Database,
  userId: string,
): Promise<{ totals: UnreadTotals; unsettled: string[] }> {
  const [row] = await database.query<UnreadTotals & { unsettled: string[] }>(totalsSql, [userId]);
  const { unsettled = [], ...totals } = row ?? { unreadChats: 0, unreadMentions: 0, chatIds: [] };
  return { totals, unsettled };
}
