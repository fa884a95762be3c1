import type { Fact } from '../shared/ports/admission.ts';

/** Takes part, and may post: what a send asks of admission, in the same round trip as the session; both ids in lower case. */
export const participantFact = (chatId: string, userId: string): Fact => `participant:${chatId}:${userId}`;

/** The chat has no more than `CHAT_LIVE_MAX` participants; revoked where it has. */
export const liveFact = (chatId: string): Fact => `live:${chatId}`;
