import type { StoredChat } from '../db/queries/chats.ts';
import type { StoredParticipant } from '../db/queries/participant-columns.ts';
import type { Chat, Participant } from '../shared/contract.ts';
import type { Presence } from '../shared/ports/presence.ts';

/** Adds `online`, with one question for all of them. */
export async function withOnline(
  presence: Presence,
  participants: readonly StoredParticipant[],
): Promise<Participant[]> {
  const online = await presence.online(participants.map(({ userId }) => userId));
  return participants.map((participant) => toParticipant(participant, online));
}

/** The same for the participants of many chats. */
export async function chatsWithOnline(presence: Presence, chats: readonly StoredChat[]): Promise<Chat[]> {
  const userIds = new Set(chats.flatMap((chat) => chat.participants.map(({ userId }) => userId)));
  const online = await presence.online([...userIds]);
  return chats.map((chat) => ({
    id: chat.id,
    isGroup: chat.isGroup,
    name: chat.name,
    createdAt: chat.createdAt,
    participantCount: chat.participantCount,
    participants: chat.participants.map((participant) => toParticipant(participant, online)),
    lastMessage: chat.lastMessage,
    lastSequence: chat.lastSequence,
    eventSequence: chat.eventSequence,
  }));
}

function toParticipant(stored: StoredParticipant, online: ReadonlySet<string>): Participant {
  const { userId, displayName, role, joinedAt } = stored;
  return { userId, displayName, role, joinedAt, online: online.has(userId) };
}
