import { type ConfabClient, createClient, type TokenPair, type User } from '@confab/client';

/** Kong, or `bun run dev`. */
const url = 'http://localhost:3000';

export interface Session {
  client: ConfabClient;
  findUser(email: string): Promise<User | undefined>;
}

/** Who is new has an account made first. Throws what the server says against it. */
export async function signIn(email: string, password: string, isNew: boolean): Promise<Session> {
  if (isNew) await request('/auth/register', { email, password });
  let tokens: TokenPair = await request('/auth/login', { email, password });
  const getToken = async ({ expired }: { expired?: string }) => {
    if (expired === tokens.accessToken)
      tokens = await request('/auth/refresh', { refreshToken: tokens.refreshToken });
    return tokens.accessToken;
  };
  return {
    client: createClient({ url, getToken }),
    async findUser(address) {
      const { data } = await request(
        `/users?email=${encodeURIComponent(address)}`,
        undefined,
        tokens.accessToken,
      );
      return data[0];
    },
  };
}

async function request(path: string, body?: object, token?: string) {
  const answer = await fetch(`${url}${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
    body: body ? JSON.stringify(body) : null,
  });
  const json = await answer.json();
  if (!answer.ok) throw new Error(json.detail);
  return json;
}
