import type { ChatItem, Participant } from '@confab/client';

/** What a chat is called by one who takes part. */
export function titleOf(chat: ChatItem, userId: string): string {
  if (chat.name !== null) return chat.name;
  const others = chat.participants.filter((each) => each.userId !== userId);
  return others.map(({ displayName }) => displayName).join(', ') || 'Only you';
}

/** The other one of a direct chat. */
export const otherOf = (chat: ChatItem, userId: string): string | undefined =>
  chat.isGroup ? undefined : chat.participants.find((each) => each.userId !== userId)?.userId;

export type NameOf = (userId: string) => string;

/** By those who are known to take part; who has left is somebody. */
export function namesOf(participants: readonly Participant[]): NameOf {
  const names = new Map(participants.map(({ userId, displayName }) => [userId, displayName]));
  return (userId) => names.get(userId) ?? 'Somebody';
}

const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

const whole = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
export const longTime = (iso: string): string => whole.format(new Date(iso));

/** A code of the contract's, for people. */
export const inWords = (code: string): string => code.replaceAll('_', ' ');

/** The time of today, the day of before. */
export function shortTime(iso: string): string {
  const date = new Date(iso);
  return (date.toDateString() === new Date().toDateString() ? time : day).format(date);
}
