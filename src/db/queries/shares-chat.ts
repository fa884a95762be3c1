/** Of so many chats of each user it is looked whether they are in it, so that nobody's work grows with what strangers have. */
const mostChats = 1_000;

/**
 * The chats that `sharesChat` compares with. Ranges of a single id, in an order that leaves one index alone: they are read once,
 * however many users are asked for.
 * @param now whether only those count in which the viewer takes part
 */
export const viewersChats = (viewer: string, { now }: { now: boolean }): string =>
  `mine AS MATERIALIZED (
  SELECT x.chat_id FROM chat_participants x
  WHERE x.user_id BETWEEN ${viewer} AND ${viewer}${now ? ' AND x.left_at IS NULL' : ''} ORDER BY x.user_id, x.chat_id
)`;

/**
 * Whether a user shares a chat with the viewer: in a statement that begins with {@link viewersChats}. By their direct chat, by the user's
 * chats, in a comparison that cannot become a join, and by the viewer's. Only where both have more than so many others it may find none.
 * @param now whether both are to take part in it
 */
export const sharesChat = (user: string, viewer: string, { now }: { now: boolean }): string => `coalesce(
  (SELECT true FROM chats d WHERE d.direct_key = least(${user}, ${viewer})::text || ':' || greatest(${user}, ${viewer})::text),
  (
    SELECT true FROM (
      SELECT x.chat_id${now ? ', x.left_at' : ''} FROM chat_participants x
      WHERE x.user_id BETWEEN ${user} AND ${user} ORDER BY x.user_id, x.chat_id LIMIT ${mostChats}
    ) theirs
    WHERE (theirs.chat_id IN (SELECT mine.chat_id FROM mine)) IS TRUE${now ? ' AND theirs.left_at IS NULL' : ''} LIMIT 1
  ),
  (
    SELECT true FROM (SELECT mine.chat_id FROM mine LIMIT ${mostChats}) own
    CROSS JOIN LATERAL (
      SELECT x.left_at FROM chat_participants x WHERE x.chat_id = own.chat_id AND x.user_id = ${user} LIMIT 1
    ) them${now ? ' WHERE them.left_at IS NULL' : ''} LIMIT 1
  ),
  false
)`;
