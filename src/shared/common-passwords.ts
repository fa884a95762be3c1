import text from './common-passwords.txt' with { type: 'text' };
import { once } from './once.ts';

/** The file's lines that begin with `#` are its licence. */
const known = once(() => new Set(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))));

/** Whether it is one of the 10,000 commonest of 8 characters and more, whatever its case. */
export const isCommonPassword = (password: string): boolean =>
  known().has(password.normalize('NFKC').toLowerCase());
