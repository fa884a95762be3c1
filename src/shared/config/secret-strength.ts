import { varietyOf } from './variety.ts';

/**
 * Why a secret is too easy to guess; undefined where nothing is seen. It is no measure of a secret's strength, which its
 * text does not tell, but finds what people put where they mean to put one later.
 */
export function secretWeakness(secret: string): string | undefined {
  const { triples, steps } = varietyOf(secret);
  if (Math.min(triples, steps) < leastTriples) return 'repeats itself';
  const bare = secret.toLowerCase().replaceAll(/[\s_.,:;!?'"-]+/g, '');
  return lettersBesideWords(bare) < leastLeft ? 'is made of words from examples' : undefined;
}

/** 16 random bytes in hexadecimal, the least that can be, have about thirty; a word of eight letters four times has eight. */
const leastTriples = 12;
const leastLeft = 4;

/** The fewest letters that are left where words are taken out of the text. */
function lettersBesideWords(text: string): number {
  const left = [0];
  for (let end = 1; end <= text.length; end += 1) {
    const before = Array.from({ length: Math.min(end, longestWord) }, (_, at) => end - at - 1);
    const words = before.filter((start) => exampleWords.has(text.slice(start, end)));
    left[end] = Math.min((left[end - 1] ?? 0) + 1, ...words.map((start) => left[start] ?? 0));
  }
  return left[text.length] ?? 0;
}

const exampleWords: ReadonlySet<string> = new Set(
  `0123456789 123 1234 12345 123456 1234567 12345678 123456789 1234567890 128 16 2020 2021 2022 2023 2024
  2025 2026 256 32 512 64 a abcdefghijklmnopqrstuvwxyz access admin algorithm an and any api app
  application asdfghjkl at auth backend bar base64 battery baz be bit bits bytes change changed changeit
  changeme changethis char characters chars chat choose complex confab correct custom default demo dev
  develop development do dummy easy encryption enough enter env environment example fake fixme foo for
  from generate generated goes guess hard has have hello here hex hidden horse hs256 hs512 i in insecure
  insert is it its jsonwebtoken jwt keep key least letmein local long longer make me min minimum mock must
  my need needs never no nobody node not now of one only openssl or our own p4ssw0rd passphrase passw0rd
  password phrase placeholder please private prod production put qwerty qwertyuiop rand random real
  refresh replace replaceme s3cr3t sample secr3t secret secrets secure secured server service set shared
  should sign signing simple some something staging staple string strong super supersecret temp temporary
  test testing that the this to todo token tokens top topsecret unsafe update use user value very was
  webtoken welcome will with world xxx you your yoursecret zxcvbnm`.split(/\s+/),
);
const longestWord = Math.max(...Array.from(exampleWords, ({ length }) => length));
