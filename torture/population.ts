import postgres from 'postgres';
import { createOwnTokens } from '../src/auth/tokens.ts';
import type { Chat } from '../src/shared/contract.ts';
import type { Random } from './random.ts';
import type { Credential } from './rest.ts';

export interface TortureUser {
  id: string;
  sessionId: string;
}

export interface TortureChat {
  id: string;
  isGroup: boolean;
  ownerId: string;
  /** Who takes part as far as the harness knows; changed by those who add and remove. */
  members: Set<string>;
  /** Users who come and go. */
  floating: readonly string[];
  /** Its owner has asked for its end. */
  ended: boolean;
  /** As the api gave it when the chat was made. */
  created: Chat;
}

export interface Population {
  users: readonly TortureUser[];
  chats: readonly TortureChat[];
  /** @param ttlSeconds until the token expires */
  token(userId: string, ttlSeconds?: number): Promise<string>;
  /** What somebody does by REST, they do themselves or the host's backend does for them, now and then. */
  credential(userId: string): Promise<Credential>;
  /** Signed with a secret that is not theirs. */
  forgedToken(userId: string): Promise<string>;
}

export interface Sizes {
  users: number;
  chats: number;
}

const backendShare = 0.1;
const longTtlSeconds = 6 * 3600;

/** Users and sessions by SQL (passwords would take minutes), chats the way clients make them. */
export async function makePopulation(options: {
  random: Random;
  sizes: Sizes;
  databaseUrl: string;
  apiUrl: string;
  secret: string;
  /** Of the host's backend, where there is one. */
  serviceToken?: string;
}): Promise<Population> {
  const { random, sizes, databaseUrl, apiUrl, secret, serviceToken } = options;
  const users = Array.from({ length: sizes.users }, () => ({ id: random.uuid(), sessionId: random.uuid() }));
  await insertUsers(databaseUrl, users);

  const sessions = new Map(users.map(({ id, sessionId }) => [id, sessionId]));
  const signers = new Map<string, ReturnType<typeof createOwnTokens>>();
  const sign = async (userId: string, by: string, accessTtlSeconds: number): Promise<string> => {
    const name = `${by} ${accessTtlSeconds}`;
    const made =
      signers.get(name) ??
      createOwnTokens({ secret: by, issuer: 'confab', audience: 'confab', accessTtlSeconds });
    signers.set(name, made);
    return (await made).sign({ userId, sessionId: sessions.get(userId) ?? '' });
  };
  const long = new Map<string, Promise<string>>();
  const token = (userId: string, ttlSeconds?: number): Promise<string> => {
    if (ttlSeconds !== undefined) return sign(userId, secret, ttlSeconds);
    const known = long.get(userId) ?? sign(userId, secret, longTtlSeconds);
    long.set(userId, known);
    return known;
  };

  const chats = await makeChats({ random, count: sizes.chats, users, apiUrl, token });
  const backend = random.fork('backend');
  return {
    ...{ users, chats, token },
    credential: async (userId) =>
      serviceToken !== undefined && backend.next() < backendShare
        ? { serviceToken, actAs: userId }
        : token(userId),
    forgedToken: (userId) => sign(userId, `${secret}, but not quite`, 3600),
  };
}

/** The way clients make them. */
export async function makeChats(options: {
  random: Random;
  count: number;
  users: readonly { id: string }[];
  apiUrl: string;
  token: (userId: string) => Promise<string>;
}): Promise<TortureChat[]> {
  const { random, count, users, apiUrl, token } = options;
  const pairs = new Set<string>();
  const chats: TortureChat[] = [];
  while (chats.length < count) {
    const size = sizeOf(chats.length);
    const [owner, ...others] = random.shuffle(users).slice(0, size.members + size.floating);
    if (!owner) throw new Error('there are no users');
    const pair = [owner, ...others].map(({ id }) => id).sort();
    if (size.members === 2 && pairs.has(pair.join())) continue;
    pairs.add(pair.join());
    const members = others.slice(0, size.members - 1).map(({ id }) => id);
    const floating = others.slice(size.members - 1).map(({ id }) => id);
    const created = await createChat(apiUrl, await token(owner.id), members, size.members > 2);
    chats.push({
      id: created.id,
      isGroup: created.isGroup,
      ownerId: owner.id,
      members: new Set([owner.id, ...members]),
      floating: [...members.slice(-1), ...floating],
      ended: false,
      created,
    });
  }
  return chats;
}

/** Half are pairs, a third small groups, the rest larger ones; at most 16 at a time, so that chat objects name all. */
function sizeOf(at: number): { members: number; floating: number } {
  if (at % 6 < 3) return { members: 2, floating: 0 };
  return at % 6 < 5 ? { members: 5, floating: 2 } : { members: 12, floating: 3 };
}

async function insertUsers(databaseUrl: string, users: readonly TortureUser[]): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`INSERT INTO users ${sql(users.map(({ id }, at) => ({ id, display_name: `User ${at}` })))}`;
    await sql`INSERT INTO sessions ${sql(
      users.map(({ id, sessionId }) => ({
        id: sessionId,
        user_id: id,
        expires_at: new Date(Date.now() + 30 * 24 * 3600 * 1000),
      })),
    )}`;
  } finally {
    await sql.end({ timeout: 2 });
  }
}

async function createChat(
  apiUrl: string,
  token: string,
  participantUserIds: readonly string[],
  isGroup: boolean,
): Promise<Chat> {
  const answer = await fetch(`${apiUrl}/chats`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ participantUserIds, isGroup }),
  });
  if (answer.status !== 201) throw new Error(`POST /chats answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as Chat;
}
