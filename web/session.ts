import type { Problem, Store, TokenPair, User } from '@confab/client';

/** Who is signed in, in all tabs of one profile. */
export interface Session {
  accessToken: string;
  refreshToken: string;
  user: User;
}

export interface Sessions extends Store<Session | undefined> {
  signIn(account: { email: string; password: string }): Promise<void>;
  /** Makes the account, and signs in. */
  signUp(account: { email: string; password: string; displayName: string }): Promise<void>;
  signOut(): Promise<void>;
  /** Reads as whoever is signed in. */
  read<Answer>(path: string): Promise<Answer>;
  /** As `createClient` asks for one. */
  getToken(why: { expired?: string }): Promise<string | undefined>;
}

/** Where this page came from, which is where the server is: a proxy may have put it below a path. */
export const server = new URL('.', location.href).href.replace(/\/$/, '');

/** Of what a busy server refuses, each after as long as it says. */
const mostTries = 5;

/** @throws Error what the server says of why not, in its own words, with its `status` */
async function request<Answer>(
  method: string,
  path: string,
  { body, token }: { body?: object; token?: string | undefined } = {},
  tries = 1,
): Promise<Answer> {
  const answer = await fetch(`${server}${path}`, {
    method,
    headers: {
      ...(body ? { 'Content-Type': 'application/json' } : {}),
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as Answer;
  const problem = (await answer.json().catch(() => undefined)) as Problem | undefined;
  if (problem?.code === 'server_busy' && tries < mostTries) {
    const seconds = Number(answer.headers.get('Retry-After'));
    await new Promise((resolve) => setTimeout(resolve, 1_000 * seconds));
    return request(method, path, { ...(body ? { body } : {}), token }, tries + 1);
  }
  const fields = problem?.errors?.map(({ path: field, message }) => `${field} ${message}`).join(', ');
  throw Object.assign(new Error(fields ?? problem?.detail ?? answer.statusText), { status: answer.status });
}

/**
 * Tokens in `localStorage`, so that tabs share them and a reload keeps them.
 * @param profile which of several people who use this browser side by side
 */
export function createSessions(profile: string): Sessions {
  const key = `confab.web.${profile}.session`;
  const listeners = new Set<() => void>();
  let text = localStorage.getItem(key);
  let current = parse(text);

  function take(changed: string | null): void {
    if (changed === text) return;
    text = changed;
    current = parse(text);
    for (const listener of listeners) listener();
  }

  function keep(session: Session | undefined): void {
    if (session) localStorage.setItem(key, JSON.stringify(session));
    else localStorage.removeItem(key);
    take(localStorage.getItem(key));
  }

  // Of other tabs.
  addEventListener('storage', (event) => event.key === key && take(event.newValue));

  async function signIn(account: { email: string; password: string }): Promise<void> {
    keep(await openSession(account));
  }

  async function refresh(expired: string): Promise<string | undefined> {
    take(localStorage.getItem(key));
    if (!current || current.accessToken !== expired) return current?.accessToken;
    const { refreshToken } = current;
    const fresh = await exchange(refreshToken);
    take(localStorage.getItem(key));
    // Who has signed out meanwhile, here or in another tab, stays out, and who has signed in stays in.
    if (current?.refreshToken === refreshToken) keep(fresh);
    else if (fresh) await end(fresh);
    return current?.accessToken;
  }

  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    getSnapshot: () => current,
    signIn,
    async signUp({ displayName, ...account }) {
      await request('POST', '/auth/register', {
        body: { ...account, ...(displayName.trim() === '' ? {} : { displayName }) },
      });
      await signIn(account);
    },
    async signOut() {
      const ended = current;
      keep(undefined);
      if (ended) await end(ended);
    },
    async read<Answer>(path: string) {
      const token = current?.accessToken;
      try {
        return await request<Answer>('GET', path, { token });
      } catch (error) {
        if (!isUnauthorized(error) || token === undefined) throw error;
        return request<Answer>('GET', path, { token: await refresh(token) });
      }
    },
    async getToken({ expired }) {
      return expired === undefined ? current?.accessToken : refresh(expired);
    },
  };
}

const isUnauthorized = (error: unknown): boolean => (error as { status?: number }).status === 401;

const openSession = async (account: { email: string; password: string }): Promise<Session> =>
  sessionOf(await request<TokenPair>('POST', '/auth/login', { body: account }));

/** @returns undefined when the session has ended */
async function exchange(refreshToken: string): Promise<Session | undefined> {
  try {
    return sessionOf(await request<TokenPair>('POST', '/auth/refresh', { body: { refreshToken } }));
  } catch (error) {
    if (isUnauthorized(error)) return undefined;
    throw error;
  }
}

/** At the server, too; here it is over whatever that says. */
async function end({ accessToken, refreshToken }: Session): Promise<void> {
  const logOut = (token: string) => request('POST', '/auth/logout', { token });
  try {
    await logOut(accessToken);
  } catch (error) {
    // The token has expired.
    const fresh = isUnauthorized(error) ? await exchange(refreshToken).catch(() => undefined) : undefined;
    if (fresh) await logOut(fresh.accessToken).catch(() => {});
  }
}

const sessionOf = ({ accessToken, refreshToken, user }: TokenPair): Session => ({
  ...{ accessToken, refreshToken, user },
});

function parse(text: string | null): Session | undefined {
  try {
    return text === null ? undefined : (JSON.parse(text) as Session);
  } catch {
    // Nobody else writes there; whoever did has signed out.
    return undefined;
  }
}

/**
 * A second person for whoever has nobody to talk to yet: signed in under a profile of their own, which a window shows that is opened with
 * it. That has to happen before this resolves, since a browser opens windows for a click alone.
 * @returns the new user's id
 */
export async function signInSecondPerson(profile: string): Promise<string> {
  const secret = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(36)).join('');
  const sessions = createSessions(profile);
  await sessions.signUp({
    email: `second-${profile}@example.com`,
    password: secret,
    displayName: 'Second person',
  });
  return sessions.getSnapshot()?.user.id ?? '';
}
