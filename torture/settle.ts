import type { TortureClient } from './client.ts';
import { now } from './clock.ts';
import { type Latest, readLatest, waitingMessages } from './collect.ts';
import type { Deployment } from './deployment.ts';
import type { Population } from './population.ts';

/** Longer than gateways go without comparing. */
const quietMs = 40_000;

/** Until everybody is connected, nothing waits and everybody has everything; false when that takes too long. */
export async function settle(
  clients: readonly TortureClient[],
  population: Population,
  { servers }: Deployment,
  deadlineMs: number,
): Promise<boolean> {
  const deadline = now() + deadlineMs;
  let lastHeads = '';
  let lastCursors = 0;
  let quietSince = now();
  const quiet = () => now() > quietSince + quietMs;
  while (now() < deadline) {
    await Bun.sleep(1_000);
    try {
      const cursors = clients.reduce((sum, client) => sum + sumOf(client.cursors()), 0);
      if (cursors !== lastCursors) quietSince = now();
      lastCursors = cursors;
      if (!clients.every((client) => client.ready() && !client.reading())) continue;
      if ((await waitingMessages(servers.rabbitmq.url)) > 0) continue;
      const latest = await readLatest(servers.postgres.url);
      if (latest.toPurge > 0) continue;
      const text = JSON.stringify([...latest.heads]);
      const still = text === lastHeads;
      lastHeads = text;
      // Numbers of people who came and went behind a client's back never reach it: then silence has to do.
      if (still && (clients.every((client) => hasAll(client, latest, population)) || quiet())) return true;
    } catch {
      // A server that is not back yet.
    }
  }
  return false;
}

const sumOf = (cursors: ReadonlyMap<string, number>): number =>
  [...cursors.values()].reduce((sum, each) => sum + each, 0);

/** Everything of the chats it is in, with what its user has read there where that is known, and the removal from those that it has left. */
export function hasAll(
  client: TortureClient,
  { heads, versions }: Pick<Latest, 'heads'> & Partial<Latest>,
  { chats }: Pick<Population, 'chats'>,
): boolean {
  const cursors = client.cursors();
  return chats.every(({ id, members, ended }) =>
    members.has(client.userId) && !ended
      ? (cursors.get(id) ?? 0) >= (heads.get(id) ?? 0) &&
        (!versions || client.unread(id).membership.version === versions.get(`${id} ${client.userId}`))
      : !cursors.has(id),
  );
}
