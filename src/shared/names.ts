/*
 * What people are called, and their chats: shown to others, in lists, in titles and beside what somebody else said. So they
 * hold nothing that cannot be seen or that changes how the text around them reads; Unicode's own properties say what that is.
 */

/** Code points of a display name. */
export const maxDisplayNameLength = 100;

/**
 * Scripts in which a joiner between two letters, or after a mark (a virama), changes how these are written (RFC 5892, A.1
 * and A.2).
 */
const joining =
  String.raw`[[\p{L}\p{M}]&&[\p{scx=Adlm}\p{scx=Arab}\p{scx=Mand}\p{scx=Mong}\p{scx=Nkoo}\p{scx=Syrc}
  \p{scx=Beng}\p{scx=Deva}\p{scx=Gujr}\p{scx=Guru}\p{scx=Khmr}\p{scx=Knda}\p{scx=Mlym}\p{scx=Mymr}\p{scx=Orya}
  \p{scx=Sinh}\p{scx=Taml}\p{scx=Telu}\p{scx=Tibt}]]`.replaceAll(/\s/g, '');

/** Invisible characters in the places where they belong, and are seen by what they do. */
const inPlace = [
  String.raw`(?<=${joining})[\u200c\u200d](?=${joining})|(?<=[${joining}&&\p{M}])\u200d`,
  // Emoji: joined, of either presentation, keycaps, and the flags that are spelled in tags.
  String.raw`(?<=[\p{ExtPict}\p{EMod}]\ufe0f?)\u200d(?=\p{ExtPict})|(?<=[\p{ExtPict}\p{EMod}])[\ufe0e\ufe0f]`,
  String.raw`(?<=[\d#*])\ufe0f(?=\u20e3)|(?<=\u{1f3f4})[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}`,
  // Forms of an ideograph, as names have them, and of Mongolian letters.
  String.raw`(?<=\p{UIdeo})[\ufe00-\ufe02\u{e0100}-\u{e01ef}]|(?<=\p{scx=Mong})[\u180b-\u180d\u180f]`,
].join('|');

/** Controls, separators, bidirectional overrides and all else that is invisible, private or no character; but what has a shape. */
const unseen = String.raw`[[\p{C}\p{Zl}\p{Zp}\p{DI}\ufffc]--[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}\u{13430}-\u{1343f}]]`;

const eitherOf = new RegExp(`(${inPlace})|${unseen}`, 'gv');
/** U+2800 and U+1D159 are symbols without a mark. */
const visible = /[[\p{L}\p{N}\p{P}\p{S}]--[\u2800\u{1d159}\p{DI}]]/v;

/** Why nobody and nothing can be called that; undefined where it is a name. */
export function nameProblem(name: string): string | undefined {
  if (!visible.test(name)) return 'must not be blank';
  return withoutUnseen(name) === name
    ? undefined
    : 'must not hold control characters, direction marks or others that cannot be seen';
}

/** What is left of a text that others call a name; undefined where it is none. */
export function cleanName(text: string): string | undefined {
  const clean = withoutUnseen(text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')).trim();
  const name = shortened(clean).trim();
  return nameProblem(name) === undefined ? name : undefined;
}

/** Whether there is anything to be seen in it. */
export const isBlank = (text: string): boolean => !visible.test(text);

const withoutUnseen = (text: string): string =>
  text.replaceAll(eitherOf, (_, kept: string | undefined) => kept ?? '');

const segmenter = new Intl.Segmenter();

/** Cut between what is seen as characters. */
function shortened(name: string): string {
  let length = 0;
  let end = 0;
  for (const { segment } of segmenter.segment(name)) {
    length += Array.from(segment).length;
    if (length > maxDisplayNameLength) break;
    end += segment.length;
  }
  return name.slice(0, end);
}
