import { isCommonPassword } from '../shared/common-passwords.ts';
import { varietyOf } from '../shared/config/variety.ts';
import { isBlank } from '../shared/names.ts';

/**
 * Why a new password is refused: it would be among the first that are tried (NIST SP 800-63B, 3.1.1.2). No kind of character
 * is asked for, and nobody is kept from signing in with an old one.
 */
export function passwordProblem(password: string, email: string): string | undefined {
  const folded = password.normalize('NFKC').toLowerCase();
  if (isBlank(password)) return 'must not be blank';
  if (folded === email || folded === email.slice(0, email.lastIndexOf('@'))) return 'must not be the email';
  if (isCommonPassword(password)) return 'is one of the most common passwords';
  const { triples, steps } = varietyOf(folded);
  return triples <= 4 || steps <= 1 ? 'must not repeat a short pattern' : undefined;
}
