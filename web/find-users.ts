import type { User } from '@confab/client';
import type { Sessions } from './session.ts';

/**
 * The ids of those with these emails.
 * @param emails with commas between them
 * @throws Error naming those whom nobody has
 */
export async function findUsers(sessions: Sessions, emails: string): Promise<string[]> {
  const named = emails
    .split(',')
    .map((email) => email.trim())
    .filter((email) => email !== '');
  const found = await Promise.all(
    named.map((email) => sessions.read<{ data: User[] }>(`/users?email=${encodeURIComponent(email)}`)),
  );
  const unknown = named.filter((_, at) => found[at]?.data.length === 0);
  if (unknown.length > 0) throw new Error(`Nobody here has ${unknown.join(', ')}.`);
  return found.flatMap(({ data }) => data.map(({ id }) => id));
}
