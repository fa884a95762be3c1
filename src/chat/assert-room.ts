import { ChatError } from '../shared/errors.ts';

/**
 * @param participants how many would take part
 * @throws ChatError `chat_full`
 */
export function assertRoom(participants: number, maxParticipants: number): void {
  if (participants > maxParticipants)
    throw new ChatError('chat_full', `A chat has at most ${maxParticipants} participants.`);
}
