import type { Database } from '../database.ts';
import { ownRows } from './membership-columns.ts';

/** More are not told of a change that is a hint to them. */
const mostChats = 1_000;

const liveChatsSql = `SELECT c.id FROM ${ownRows} me
CROSS JOIN LATERAL (SELECT x.* FROM chats x WHERE x.id = me.chat_id LIMIT 1) c
WHERE NOT c.is_group OR c.participant_count <= $2::int
ORDER BY c.last_activity_at DESC
LIMIT ${mostChats}`;

/** The user's direct chats, and those of no more participants, newest activity first. */
export async function readLiveChats(database: Database, userId: string, liveMax: number): Promise<string[]> {
  const rows = await database.query<{ id: string }>(liveChatsSql, [userId, liveMax]);
  return rows.map(({ id }) => id);
}
