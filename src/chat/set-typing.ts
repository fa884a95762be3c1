import type { Announce } from '../changes/announce.ts';
import type { Database } from '../db/database.ts';
import { countFellows } from '../db/queries/participants.ts';
import type { TypingEvent } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { FactAnswer, Facts } from '../shared/ports/admission.ts';
import { liveFact, participantFact } from './participant-fact.ts';

/** How long a client shows it, if it hears nothing more. */
const shownMs = 6_000;
/** One who goes on typing is told of once in this time: what is lost once is not seen. */
const repeatMs = 3_000;

export interface SetTypingInput {
  /** Both ids in lower case. */
  chatId: string;
  userId: string;
  typing: boolean;
  /** What admission knew of {@link participantFact} and {@link liveFact}. */
  facts: readonly FactAnswer[];
}

export type SetTyping = (input: SetTypingInput) => Promise<void>;

/**
 * Tells the others in the chat, unless there are many of them. Nothing is kept: who stops is told at once, however often.
 * @param deps.liveMax participants of a chat that is told
 * @throws ChatError `chat_not_found`; `database_unavailable` where only PostgreSQL could have told
 */
export function createSetTyping(deps: {
  database: Database;
  facts: Facts;
  announce: Announce;
  liveMax: number;
}): SetTyping {
  const { database, facts, announce, liveMax } = deps;

  async function isLive(chatId: string, userId: string, known: readonly FactAnswer[]): Promise<boolean> {
    const [participant, live] = known;
    if (participant === true && live !== undefined) return live;
    const fellows = await countFellows(database, chatId, userId);
    if (fellows === undefined) throw new ChatError('chat_not_found');
    const isSmall = fellows <= liveMax;
    void facts.fill([participantFact(chatId, userId), ...(isSmall ? [liveFact(chatId)] : [])]);
    if (!isSmall) void facts.revoke([liveFact(chatId)]);
    return isSmall;
  }

  return async ({ chatId, userId, typing, facts: known }) => {
    if (!(await isLive(chatId, userId, known))) return;
    if (typing && !(await facts.isNew(`typing:${chatId}:${userId}`, repeatMs))) return;
    const payload: TypingEvent = { chatId, userId, typing, expiresInMs: shownMs };
    const head = { version: 1, kind: 'passing', event: 'chat.typing', actorId: userId } as const;
    await announce([{ topic: `chat:${chatId}`, head, body: JSON.stringify(payload) }]);
  };
}
