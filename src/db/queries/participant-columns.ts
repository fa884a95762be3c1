import type { Participant } from '../../shared/contract.ts';
import { iso } from '../database.ts';

/** A participant as PostgreSQL knows it; who is online only presence knows. */
export type StoredParticipant = Omit<Participant, 'online'>;

/** Columns of `chat_participants` and `users` under the names of the contract's `Participant`. */
export const participantColumns = (participants: string, users: string): string =>
  `${participants}.user_id AS "userId", ${users}.display_name AS "displayName", ${participants}.role,
  ${iso(`${participants}.joined_at`)} AS "joinedAt"`;

/**
 * Longest members first. None of it changes while a user takes part, so this is a stable order for pages too; who were added
 * together share time and number.
 */
export const participantOrder = (participants: string): string =>
  `${participants}.joined_at, ${participants}.created_event_sequence, ${participants}.user_id`;
