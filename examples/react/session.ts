import { type ConfabClient, createClient, type TokenPair, type User } from '@confab/client';

export interface Session {
  client: ConfabClient;
  findUser(email: string): Promise<User | undefined>;
}

export interface Credentials {
  email: string;
  password: string;
}

/** Who is new gets an account first. Rejects with what the server has against it. */
export async function signIn(url: string, credentials: Credentials, isNew: boolean): Promise<Session> {
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

  if (isNew) await request('/auth/register', credentials);
  let tokens: TokenPair = await request('/auth/login', credentials);
  const getToken = async ({ expired }: { expired?: string }) => {
    if (expired === tokens.accessToken)
      tokens = await request('/auth/refresh', { refreshToken: tokens.refreshToken });
    return tokens.accessToken;
  };
  return {
    client: createClient({ url, getToken }),
    async findUser(email) {
      const path = `/users?email=${encodeURIComponent(email)}`;
      const { data } = await request(path, undefined, await getToken({}));
      return data[0];
    },
  };
}
