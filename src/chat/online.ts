import type { SharedChat, StoredMembership } from '../db/queries/chats.ts';
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

type SeenChat = SharedChat & Pick<StoredMembership, 'showsPresence'>;

/** The same for the participants of many chats, as the owner of the membership may see them. */
export async function chatsWithOnline<Seen extends SeenChat>(
  presence: Presence,
  chats: readonly Seen[],
): Promise<(Omit<Seen, 'participants' | 'showsPresence'> & { participants: Participant[] })[]> {
  const userIds = new Set(chats.flatMap((chat) => chat.participants.map(({ userId }) => userId)));
  const online = await presence.online([...userIds]);
  return chats.map(({ showsPresence, participants, ...chat }) => ({
    ...chat,
    participants: participants.map((one) => toParticipant(one, showsPresence ? online : nobody)),
  }));
}

const nobody: ReadonlySet<string> = new Set();
