import { isBlank } from '../shared/names.ts';
import { varietyOf } from '../shared/variety.ts';
import commonPasswords from './common-passwords.txt' with { type: 'text' };

let known: ReadonlySet<string> | undefined;

/** The file's lines that begin with `# ` are its licence. */
function isCommon(folded: string): boolean {
  known ??= new Set(commonPasswords.split('\n').filter((line) => line !== '' && !line.startsWith('#')));
  return known.has(folded);
}

/**
 * Why a new password is refused: it would be among the first that are tried (NIST SP 800-63B, 3.1.1.2). No kind of character
 * is asked for, and nobody is kept from signing in with an old one.
 */
export function passwordProblem(password: string, email: string): string | undefined {
  const folded = password.normalize('NFKC').toLowerCase();
  if (isBlank(password)) return 'must not be blank';
  if (folded === email || folded === email.slice(0, email.lastIndexOf('@'))) return 'must not be the email';
  if (isCommon(folded)) return 'is one of the most common passwords';
  const { triples, steps } = varietyOf(folded);
  return triples <= 4 || steps <= 1 ? 'must not repeat a short pattern' : undefined;
}
