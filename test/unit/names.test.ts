import { describe, expect, test } from 'bun:test';
import { cleanName, nameProblem } from '../../src/shared/names.ts';

const goodNames = [
  ['Ada Lovelace', 'José', 'Jose\u0301', 'O’Brien-Łoś', '李小龍', '@x', '…', '½'],
  // Joiners where a script needs them: Persian, Malayalam, Sinhala, Hindi.
  ['می\u200cخواهم', 'രാജന്\u200d', 'ශ්\u200dරී', 'क्\u200dष'],
  // Emoji: joined, coloured, of either presentation, keycaps, flags of both kinds.
  [
    '👨‍👩‍👧‍👦',
    '👩🏽‍🚀',
    '❤\ufe0f',
    '☺\ufe0e',
    '1\ufe0f\u20e3',
    '🇩🇪',
    '🏳\ufe0f‍🌈',
    '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
    '👁\ufe0f‍🗨\ufe0f',
  ],
  // Forms of an ideograph, and of a Mongolian letter; a sign that stands before numbers; hieroglyphs; braille.
  ['葛\u{e0100}城', 'ᠠ\u180b', '\u0600١', '𓀀', '⠓⠑⠇'],
].flat();
test.each(goodNames)('%s is a name, and left as it is', (name) => {
  expect([nameProblem(name), cleanName(name)]).toEqual([undefined, name]);
});

describe('no names', () => {
  test.each([
    ['nothing', ''],
    ['a space', ' '],
    ['a zero width space', '\u200b'],
    ['Hangul fillers', '\u3164\u115f\u1160\uffa0'],
    ['blank braille', '\u2800 \u2800'],
    ['a variation selector', '\ufe0f'],
    ['tags', '\u{e0041}\u{e0064}\u{e0061}'],
    ['a combining accent', '\u0301'],
    ['private use', '\ue000'],
    ['nobody knows what', '\u0378'],
    ['a noncharacter', '\ufdd0'],
    ['a null notehead', '\u{1d159}'],
    ['half a pair', '\ud83d'],
  ])('%s', (_, name) => {
    expect(nameProblem(name)).toBe('must not be blank');
    expect(cleanName(name)).toBeUndefined();
  });

  test.each([
    ['a bell', 'Ada\u0007', 'Ada'],
    ['a line feed', 'Ada\nLovelace', 'Ada Lovelace'],
    ['a tab', 'Ada\tLovelace', 'Ada Lovelace'],
    ['an escape', '\u001b[31mAda', '[31mAda'],
    ['a C1 control', 'Ada\u0085Lovelace', 'Ada Lovelace'],
    ['a line separator', 'Ada\u2028Lovelace', 'Ada Lovelace'],
    ['an override', 'Ada\u202elevol', 'Adalevol'],
    ['an isolate', '\u2067Ada', 'Ada'],
    ['a direction mark', 'Ada\u200f', 'Ada'],
    ['an Arabic letter mark', '\u061cAda', 'Ada'],
    ['a joiner between Latin letters', 'A\u200dda', 'Ada'],
    ['a non-joiner at the end', 'علی\u200c', 'علی'],
    ['two joiners', 'क्\u200d\u200dष', 'क्\u200dष'],
    ['a soft hyphen', 'Ada\u00ad', 'Ada'],
    ['a grapheme joiner', 'A\u034fda', 'Ada'],
    ['a variation selector behind a letter', 'Ada\ufe0f', 'Ada'],
    ['one behind a digit that is no key', '1\ufe0f', '1'],
    ['an ideographic one behind a letter', 'Ada\u{e0100}', 'Ada'],
    ['tags behind a letter', 'Ada\u{e0061}', 'Ada'],
    ['a byte order mark', 'A\ufeffda', 'A da'],
    ['an object', 'Ada\ufffc', 'Ada'],
    ['an annotation', 'A\ufff9da', 'Ada'],
    ['a Hangul filler', 'Ada\u3164', 'Ada'],
    ['a private character', 'Ada\uf8ff', 'Ada'],
    ['half a pair', 'Ada\ud83d', 'Ada'],
  ])('with %s', (_, name, cleaned) => {
    expect(nameProblem(name)).toContain('must not hold');
    expect(cleanName(name)).toBe(cleaned);
  });
});

test('a name of a provider is cut between what is seen as characters', () => {
  expect(cleanName('x'.repeat(300))).toBe('x'.repeat(100));
  expect(cleanName(`${'x'.repeat(98)}👨‍👩‍👧‍👦`)).toBe('x'.repeat(98));
  expect(cleanName(`${'x'.repeat(98)}e\u0301e\u0301`)).toBe(`${'x'.repeat(98)}e\u0301`);
});
