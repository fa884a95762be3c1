import type { Mentions, Participant } from '@confab/client';

const everyone = 'everyone';

/** The names that what stands before the caret may begin; none unless it ends in a word that begins with @. */
export function candidatesFor(before: string, people: readonly Participant[], isGroup: boolean): string[] {
  const [, begun] = /(?:^|\s)@(\p{L}*)$/u.exec(before) ?? [];
  if (begun === undefined) return [];
  const names = [...people.map(({ displayName }) => displayName), ...(isGroup ? [everyone] : [])];
  return names.filter((name) => name.toLowerCase().startsWith(begun.toLowerCase())).slice(0, 8);
}

/** The text with the name in place of what was begun, and where the caret goes. */
export function withMention(text: string, caret: number, name: string): [text: string, caret: number] {
  const before = text.slice(0, caret).replace(/@\p{L}*$/u, `@${name} `);
  return [before + text.slice(caret), before.length];
}

/** Finds these names behind an @, none as the beginning of a longer one. */
export const mentionOf = (names: readonly string[]): RegExp =>
  new RegExp(`(@(?:${names.map(escaped).join('|')}))(?!\\p{L})`, 'u');

const escaped = (name: string): string => name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** Who is named in a text. */
export function mentionsIn(text: string, people: readonly Participant[]): Mentions {
  const isNamed = (name: string) => mentionOf([name]).test(text);
  const named = people.filter(({ displayName }) => isNamed(displayName));
  return {
    userIds: named.map(({ userId }) => userId).slice(0, 50),
    ...(isNamed(everyone) ? { everyone: true } : {}),
  };
}
