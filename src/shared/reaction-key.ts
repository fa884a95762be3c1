/** Different ones of a message. */
export const mostReactionKeys = 20;

const name = /^:[a-z0-9_+-]{1,32}:$/;
/** What is recommended for general interchange: single emoji, keycaps, flags, skin tones, families (UTS #51). */
const emoji = /^\p{RGI_Emoji}$/v;
const isColourByItself = /^\p{Emoji_Presentation}$/u;
/** Longer than any emoji. */
const longestKey = 64;

/**
 * The one form in which a key is kept: U+FE0F stands behind each character that is text by itself (❤ becomes ❤️), and
 * nowhere else. Keyboards and programs leave it away as they like.
 * @returns undefined for what is neither one emoji nor a `:name:`
 */
export function reactionKey(given: string): string | undefined {
  if (name.test(given)) return given;
  if (given.length > longestKey) return undefined;
  const key = given
    .replaceAll('\u{FE0F}', '')
    .replace(/\p{Emoji}(?!\p{Emoji_Modifier})/gu, (each) =>
      isColourByItself.test(each) ? each : `${each}\u{FE0F}`,
    );
  return emoji.test(key) ? key : undefined;
}
