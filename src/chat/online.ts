import type { SharedChat } from '../db/queries/chats.ts';
import { type StoredParticipant, toParticipant } from '../db/queries/participant-columns.ts';
import type { ListedParticipant } from '../db/queries/participants.ts';
import type { Participant } from '../shared/contract.ts';
import type { Presence } from '../shared/ports/presence.ts';

/** Adds `online`, with one question for all of them. */
export async function withOnline(
  presence: Presence,
  participants: readonly (StoredParticipant | ListedParticipant)[],
): Promise<Participant[]> {
  const online = await presence.online(participants.map(({ userId }) => userId));
  return participants.map((participant) => toParticipant(participant, online));
}

/** The same for the participants of many chats. */
export async function chatsWithOnline<Stored extends SharedChat>(
  presence: Presence,
  chats: readonly Stored[],
): Promise<(Omit<Stored, 'participants'> & { participants: Participant[] })[]> {
  const userIds = new Set(chats.flatMap((chat) => chat.participants.map(({ userId }) => userId)));
  const online = await presence.online([...userIds]);
  return chats.map((chat) => ({
    ...chat,
    participants: chat.participants.map((participant) => toParticipant(participant, online)),
  }));
}
