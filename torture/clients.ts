import { createClient, type TortureClient } from './client.ts';
import { now } from './clock.ts';
import type { Deployment } from './deployment.ts';
import { connectedShare } from './flow.ts';
import type { Population } from './population.ts';
import type { Recorder } from './recorder.ts';
import type { Rest } from './rest.ts';

const slowClients = 12;
const connectDeadlineMs = 45_000;
const shortTokenSeconds = 60;

/** Two tabs a user, a fifth of the users with tokens that expire on the way, and some by the way that is paused. */
export function makeClients(options: {
  deployment: Deployment;
  population: Population;
  recorder: Recorder;
  rest: Rest;
  /** Whether some have tokens that expire on the way. */
  expiring: boolean;
}): TortureClient[] {
  const { deployment, population, recorder, rest, expiring } = options;
  const { users, chats } = population;
  const client = (userId: string, tab: number, url: string, ttlSeconds?: number) =>
    createClient({
      name: `${userId.slice(0, 8)}/${tab}`,
      userId,
      url,
      token: () => population.token(userId, ttlSeconds),
      restToken: () => population.token(userId),
      ...{ rest, recorder },
      chats: chats.filter(({ members }) => members.has(userId)),
    });
  const tabs = users.flatMap(({ id }, at) =>
    [0, 1].map((tab) =>
      client(id, tab, deployment.gatewayUrl, expiring && at % 5 === 0 ? shortTokenSeconds + at : undefined),
    ),
  );
  const slow = users.slice(0, slowClients).map(({ id }) => client(id, 2, deployment.slowGatewayUrl));
  return [...tabs, ...slow];
}

/** In small groups, so that the beginning is no storm. */
export async function connectAll(clients: readonly TortureClient[]): Promise<void> {
  for (let at = 0; at < clients.length; at += 20) {
    for (const client of clients.slice(at, at + 20)) client.connect();
    await Bun.sleep(50);
  }
  const deadline = now() + connectDeadlineMs;
  while (!clients.every((client) => client.ready())) {
    if (now() > deadline) {
      const waiting = clients.filter((client) => !client.ready()).length;
      throw new Error(`${waiting} of ${clients.length} clients did not come to chat.ready`);
    }
    await Bun.sleep(50);
  }
}

export const mostAre = (clients: readonly TortureClient[]): boolean =>
  clients.filter((client) => client.ready()).length >= clients.length * connectedShare;

export function floodSlowClients(
  clients: readonly TortureClient[],
  population: Population,
  burst: (chat: Population['chats'][number], count: number) => void,
): void {
  const slow = new Set(clients.slice(-slowClients).map(({ userId }) => userId));
  const there = population.chats.filter(({ ended }) => !ended);
  const crowded = there.toSorted(
    (a, b) =>
      [...b.members].filter((id) => slow.has(id)).length - [...a.members].filter((id) => slow.has(id)).length,
  );
  for (const chat of crowded.slice(0, 3)) burst(chat, 40);
}
