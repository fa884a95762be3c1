/**
 * How many different triples of neighbours a text has, and how many its steps from one character to the next have. Of
 * what a person types without thinking one of the two is small: `abcabcabc` repeats its characters, `0123456789` its steps.
 */
export function varietyOf(text: string): { triples: number; steps: number } {
  const codes = Array.from(text, (character) => character.codePointAt(0) ?? 0);
  const steps = codes.slice(1).map((code, at) => code - (codes[at] ?? 0));
  return { triples: differentTriples(codes), steps: differentTriples(steps) };
}

const differentTriples = (items: readonly number[]): number =>
  new Set(items.slice(2).map((item, at) => `${items[at]} ${items[at + 1]} ${item}`)).size;
