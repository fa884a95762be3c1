import { type Announce, passing } from '../changes/announce.ts';
import type { Database } from '../db/database.ts';
import { readSize } from '../db/queries/participants.ts';
import type { TypingEvent } from '../shared/contract.ts';
import type { FactAnswer, Facts } from '../shared/ports/admission.ts';
import { assertMayPost } from './assert-may-post.ts';
import { liveFact } from './participant-fact.ts';

/** How long a client shows it, if it hears nothing more. */
const shownMs = 6_000;
/** One who goes on typing is told of once in this time: what is lost once is not seen. */
const repeatMs = 3_000;

export interface SetTypingInput {
  /** Both ids in lower case. */
  chatId: string;
  userId: string;
  typing: boolean;
  /** What admission knew of `participantFact` and {@link liveFact}. */
  facts: readonly FactAnswer[];
}

export type SetTyping = (input: SetTypingInput) => Promise<void>;

/**
 * Tells the others in the chat, unless there are many of them. Nothing is kept: who stops is told at once, however often, and who
 * begins again, too.
 * @param deps.liveMax participants of a chat that is told
 * @throws ChatError `chat_not_found`, `not_allowed`; `database_unavailable` where only PostgreSQL could have told
 */
export function createSetTyping(deps: {
  database: Database;
  facts: Facts;
  announce: Announce;
  liveMax: number;
}): SetTyping {
  const { database, facts, announce, liveMax } = deps;

  async function askLive(chatId: string): Promise<boolean> {
    const isLive = (await readSize(database, chatId)) <= liveMax;
    const fact = [liveFact(chatId)];
    void (isLive ? facts.fill(fact) : facts.revoke(fact));
    return isLive;
  }

  return async ({ chatId, userId, typing, facts: [participant, live] }) => {
    if (participant !== true) await assertMayPost(deps, chatId, userId);
    if (!(live ?? (await askLive(chatId)))) return;
    const what = `typing:${chatId}:${userId}` as const;
    // Before it is answered: what is typed next, at whichever api, is told.
    if (!typing) await facts.forget(what);
    else if (!(await facts.isNew(what, repeatMs))) return;
    const payload: TypingEvent = { chatId, userId, typing, expiresInMs: shownMs };
    await announce([passing(`chat:${chatId}`, 'chat.typing', payload, userId)]);
  };
}
