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

/** Who is named in a text. */
export function mentionsIn(text: string, people: readonly Participant[]): Mentions {
  const named = people.filter(({ displayName }) => text.includes(`@${displayName}`));
  return {
    userIds: named.map(({ userId }) => userId).slice(0, 50),
    ...(text.includes(`@${everyone}`) ? { everyone: true } : {}),
  };
}
