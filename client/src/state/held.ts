import type { Message, Quote, Reaction } from '../contract.ts';
import type { ChatMessage } from '../types.ts';

/** A message of the server's, with the numbers up to which is known what its `version` says nothing of. */
export interface Held {
  readonly message: SavedMessage;
  readonly reactionsAt: number;
  readonly quoteAt: number;
}

export type SavedMessage = ChatMessage & { readonly sequence: number };

/** What an event tells of a message's reactions. */
export interface ReactionsTold {
  readonly reactions: readonly Reaction[];
  readonly by?: readonly { userId: string; key: string; present: boolean }[] | undefined;
  readonly at: number;
}

/** @param at of what brought it: it is no older than that */
export const hold = (message: Message, at: number): Held => ({
  message: { ...message, state: 'saved' },
  reactionsAt: at,
  quoteAt: at,
});

/** Of an answer, which says what is one's own: it knows more than an event of the same number. */
export const holdAnswer = (message: Message, at: number): Held => hold(message, answerAt(at));
export const answerAt = (at: number): number => at + 0.5;

const versionOf = ({ message }: Held): number => message.version ?? 0;

/** Of two states of a message what is newer in each, in whatever order they come; `known` itself where nothing is newer in the other. */
export function mergeHeld(known: Held | undefined, given: Held): Held {
  if (!known) return given;
  const newer = versionOf(given) - versionOf(known);
  const reacted = given.reactionsAt > known.reactionsAt;
  const quoted = given.quoteAt > known.quoteAt;
  if (newer <= 0 && !reacted && !quoted) return known;
  const { message } = newer > 0 ? given : known;
  const reactions = (reacted ? given : known).message.reactions;
  const replyTo = (quoted ? given : known).message.replyTo;
  return {
    message: message.deletedAt === undefined ? withParts(message, { reactions, replyTo }) : message,
    reactionsAt: Math.max(given.reactionsAt, known.reactionsAt),
    quoteAt: Math.max(given.quoteAt, known.quoteAt),
  };
}

/** The later message, or of one and the same what is newer. */
export function newerOf(last: Held | undefined, given: Held | undefined): Held | undefined {
  if (!last || !given) return last ?? given;
  const later = given.message.sequence - last.message.sequence;
  return later === 0 ? mergeHeld(last, given) : later > 0 ? given : last;
}

/** What it does not have is not there. */
function withParts(
  { reactions: _, replyTo: __, ...message }: SavedMessage,
  parts: { reactions: readonly Reaction[] | undefined; replyTo: Quote | undefined },
): SavedMessage {
  return {
    ...message,
    ...(parts.replyTo ? { replyTo: parts.replyTo } : {}),
    ...(parts.reactions?.length ? { reactions: [...parts.reactions] } : {}),
  };
}

export function mergeReactions(known: Held, told: ReactionsTold, me: string): Held {
  if (told.at <= known.reactionsAt) return known;
  const { message } = known;
  if (message.deletedAt !== undefined) return { ...known, reactionsAt: told.at };
  const reactions = markOwn(told, message.reactions, me);
  return {
    ...known,
    message: withParts(message, { reactions, replyTo: message.replyTo }),
    reactionsAt: told.at,
  };
}

/** No event says which reactions are one's own: the names say it, what has changed, or what was known before. */
export function markOwn(
  { reactions, by }: Omit<ReactionsTold, 'at'>,
  before: readonly Reaction[] | undefined,
  me: string,
): Reaction[] {
  return reactions.map((reaction) => {
    const { key, count, userIds } = reaction;
    const changed = by?.find((one) => one.userId === me && one.key === key)?.present;
    const known = () => before?.find((one) => one.key === key)?.own === true;
    const own = changed ?? (userIds.includes(me) || (count > userIds.length && (reaction.own || known())));
    return own ? { ...reaction, own } : reaction;
  });
}

/** As a server shows a message that is answered: the first 200 code points of it. */
const quoteOf = ({ id, sequence, senderId, content, deletedAt }: SavedMessage): Quote =>
  deletedAt === undefined
    ? { messageId: id, sequence, senderId, preview: [...content.slice(0, 400)].slice(0, 200).join('') }
    : { messageId: id, deleted: true };

/** No event tells of those that quote a message: each takes over what is newer than itself. */
export function settleQuotes(window: readonly Held[], others: Iterable<Held>): readonly Held[] {
  if (!window.some(({ message }) => message.replyTo)) return window;
  const sources = new Map<string, Held>();
  for (const one of [...others, ...window]) if (one.message.version) sources.set(one.message.id, one);
  if (sources.size === 0) return window;
  let changed = false;
  const settled = window.map((one) => {
    const source = sources.get(one.message.replyTo?.messageId ?? '');
    if (!source || versionOf(source) <= one.quoteAt) return one;
    changed = true;
    const message = { ...one.message, replyTo: quoteOf(source.message) };
    return { ...one, message, quoteAt: versionOf(source) };
  });
  return changed ? settled : window;
}

/** For a message that is not saved yet, of one that is on the screen. */
export const quoteIn = (items: readonly ChatMessage[], messageId: string): Quote | undefined => {
  const found = items.find(({ id }) => id === messageId);
  return found?.sequence === undefined ? undefined : quoteOf({ ...found, sequence: found.sequence });
};
