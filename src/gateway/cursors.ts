import { ChatError } from '../shared/errors.ts';
import { uuidPattern } from '../shared/ids.ts';
import type { Handshake } from './token.ts';

/** What a client says it knows. */
export interface Cursors {
  /** The highest `eventSequence` that it has seen of each chat; the ids in lower case. */
  byChat: ReadonlyMap<string, number>;
  /** It named more chats than are taken. */
  more: boolean;
}

export const mostCursors = 1_000;

/**
 * Not kept with the socket. Of more chats than are taken the last named are: a client that moves a chat to the end when it
 * hears of it keeps the ones that are in use. To refuse it would be for ever: it knows no fewer when it comes back.
 * @returns undefined for a client that wants no more than what is new
 * @throws ChatError `validation_failed`
 */
export function takeCursors({ auth }: Handshake): Cursors | undefined {
  const given: unknown = auth?.cursors;
  if (given === undefined) return undefined;
  delete auth.cursors;
  if (given === null || typeof given !== 'object' || Array.isArray(given)) {
    throw refused('auth.cursors must be an object of chat ids and eventSequences');
  }
  const keys = Object.keys(given);
  const byChat = new Map<string, number>();
  for (const key of keys.slice(-mostCursors)) {
    const cursor: unknown = (given as Record<string, unknown>)[key];
    if (!uuidPattern.test(key)) throw refused('auth.cursors must name chats by their ids');
    if (typeof cursor !== 'number' || !Number.isSafeInteger(cursor) || cursor < 0) {
      throw refused('auth.cursors must hold whole numbers, not below 0');
    }
    const chatId = key.toLowerCase();
    // Spelt in two ways: what is sent again does less harm than what is not sent.
    byChat.set(chatId, Math.min(cursor, byChat.get(chatId) ?? cursor));
  }
  return { byChat, more: keys.length > mostCursors };
}

/** @throws ChatError `validation_failed` */
export function takeMembershipsSince({ auth }: Handshake): number | undefined {
  const given: unknown = auth?.membershipsSince;
  if (given === undefined) return undefined;
  if (typeof given !== 'number' || !Number.isSafeInteger(given) || given < 0) {
    throw refused('auth.membershipsSince must be a whole number, not below 0');
  }
  return given;
}

const refused = (detail: string): ChatError => new ChatError('validation_failed', detail);
