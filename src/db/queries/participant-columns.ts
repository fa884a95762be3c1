import type { Participant } from '../../shared/contract.ts';
import { iso } from '../database.ts';
import { shownName } from './shown-name.ts';

/** A participant as PostgreSQL knows it; who is online only presence knows. */
export type StoredParticipant = Omit<Participant, 'online' | 'avatarUrl'> & {
  avatarUrl: string | null;
  /** Whether whoever sees this may be told that they are online. */
  showsPresence: boolean;
};

/** As it is shown, without what it does not have. */
export function toParticipant(
  stored: Omit<StoredParticipant, 'lastReadSequence'> & { lastReadSequence?: number | null },
  online: ReadonlySet<string>,
): Participant {
  const { userId, displayName, avatarUrl, role, joinedAt, lastReadSequence, showsPresence } = stored;
  const isOnline = showsPresence && online.has(userId);
  const participant: Participant = { userId, displayName, role, joinedAt, online: isOnline };
  if (avatarUrl !== null) participant.avatarUrl = avatarUrl;
  if (lastReadSequence != null) participant.lastReadSequence = lastReadSequence;
  return participant;
}

/**
 * Columns of `chat_participants` and `users` under the names of a `StoredParticipant`.
 * @param viewer of `users`: to whom they are shown, where that is one
 */
export const participantColumns = (participants: string, users: string, viewer = users): string =>
  `${participants}.user_id AS "userId", ${shownName(users)} AS "displayName", ${users}.avatar_url AS "avatarUrl",
  ${participants}.role, ${iso(`${participants}.joined_at`)} AS "joinedAt",
  ${users}.show_presence AND ${viewer}.show_presence AS "showsPresence"`;

/**
 * Longest members first. None of it changes while a user takes part, so this is a stable order for pages too; who were added
 * together share time and number.
 */
export const participantOrder = (participants: string): string =>
  `${participants}.joined_at, ${participants}.created_event_sequence, ${participants}.user_id`;

/** Who takes part: as `left_at IS NULL`, and in `participantOrder` by an index, which is for those alone who ask like this. */
export const present = (participants: string): string =>
  `${participants}.left_at IS NULL AND ${participants}.created_event_sequence >= 0`;

/**
 * The user of each participant, looked up by itself: a join could become a scan of all users for each, in a plan that was
 * made while there were none.
 */
export const joinUser = (participants: string, users: string): string =>
  `CROSS JOIN LATERAL (SELECT x.* FROM users x WHERE x.id = ${participants}.user_id LIMIT 1) ${users}`;
