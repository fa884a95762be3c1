import * as v from 'valibot';

const longest = 2_048;

/** Shown by browsers and apps: nothing that runs, and nothing that a parser of URLs leaves out or puts in. */
export const avatarUrl = v.pipe(
  v.string(),
  v.regex(/^https?:\/\/[\w.~:/?#[\]@!$&'()*+,;=%-]+$/i, 'must be an http or https URL, percent-encoded'),
  v.check((url) => URL.canParse(url), 'must be an http or https URL'),
  v.maxLength(longest, `may have ${longest} characters`),
  v.metadata({ examples: ['https://example.com/ada.png'] }),
);
