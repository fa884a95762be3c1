import { type Account, makeAccount } from './embedded-accounts.ts';
import { makeChats, type Population } from './population.ts';
import type { Random } from './random.ts';

const deadlineMs = 120_000;

/** Accounts asked for at once, from before the process is up: each is answered in the end. */
export const makeAccounts = (url: string, names: readonly string[]): Promise<Account[]> =>
  Promise.all(names.map((name) => makeAccount(url, `${name}@example.com`, deadlineMs)));

/** Their chats; the tokens are those they signed in with, for as long as the run lasts. */
export async function populate(options: {
  random: Random;
  accounts: readonly Account[];
  chats: number;
  url: string;
}): Promise<Population> {
  const { random, accounts, chats: count, url } = options;
  const tokens = new Map(accounts.map(({ userId, token }) => [userId, token]));
  const token = async (userId: string): Promise<string> => tokens.get(userId) ?? '';
  const users = accounts.map(({ userId }) => ({ id: userId, sessionId: '' }));
  return {
    users,
    chats: await makeChats({ random, count, users, apiUrl: url, token }),
    token,
    credential: token,
    async forgedToken(userId) {
      const [header, claims] = (await token(userId)).split('.');
      return `${header}.${claims}.${Buffer.from('signed by somebody else, thirty-two').toString('base64url')}`;
    },
  };
}
