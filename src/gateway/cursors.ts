import { ChatError } from '../shared/errors.ts';
import { uuidPattern } from '../shared/ids.ts';
import type { Handshake } from './token.ts';

/** The highest `eventSequence` that a client has seen of each chat; the ids in lower case. */
export type Cursors = ReadonlyMap<string, number>;

export const mostCursors = 1_000;

/**
 * What a client says it knows, at most 60 KB of text; not kept with the socket.
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
  const entries = Object.entries(given);
  if (entries.length > mostCursors) throw refused(`auth.cursors must name at most ${mostCursors} chats`);
  const cursors = new Map<string, number>();
  for (const [key, cursor] of entries) {
    if (!uuidPattern.test(key)) throw refused('auth.cursors must name chats by their ids');
    if (!Number.isSafeInteger(cursor) || cursor < 0) {
      throw refused('auth.cursors must hold whole numbers, not below 0');
    }
    const chatId = key.toLowerCase();
    // Spelt in two ways: what is sent again does less harm than what is not sent.
    cursors.set(chatId, Math.min(cursor, cursors.get(chatId) ?? cursor));
  }
  return cursors;
}

const refused = (detail: string): ChatError => new ChatError('validation_failed', detail);
