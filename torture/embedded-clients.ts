import { createClient, type TortureClient } from './client.ts';
import { now } from './clock.ts';
import type { Population } from './population.ts';
import type { Recorder } from './recorder.ts';
import type { Rest } from './rest.ts';
import { hasAll } from './settle.ts';

/** The first of the users have a second tab. */
const secondTabs = 3;
/** They are to be back between two kills. */
const reconnectionDelayMaxMs = 500;
const readyDeadlineMs = 10_000;

export function makeClients(options: {
  url: string;
  population: Population;
  rest: Rest;
  recorder: Recorder;
}): TortureClient[] {
  const { url, population, rest, recorder } = options;
  const { users, chats } = population;
  return [...users, ...users.slice(0, secondTabs)].map(({ id }, at) =>
    createClient({
      name: `${id.slice(-8)}/${at < users.length ? 0 : 1}`,
      userId: id,
      token: () => population.token(id),
      restToken: () => population.token(id),
      chats: chats.filter(({ members }) => members.has(id)),
      ...{ url, rest, recorder, reconnectionDelayMaxMs },
    }),
  );
}

/** Who is not ready within the deadline does not hold up the others. */
export async function untilReady(clients: readonly TortureClient[]): Promise<void> {
  const deadline = now() + readyDeadlineMs;
  while (now() < deadline && !clients.every((client) => client.ready())) await Bun.sleep(20);
}

/** Until everybody is connected and has everything, and no chat goes on; false when that takes too long. */
export async function settleClients(options: {
  clients: readonly TortureClient[];
  population: Population;
  rest: Rest;
  /** Whether somebody was shown each message that was accepted. */
  allShown: () => boolean;
  deadlineMs: number;
}): Promise<boolean> {
  const { clients, population, rest, allShown, deadlineMs } = options;
  const deadline = now() + deadlineMs;
  let before = '';
  while (now() < deadline) {
    await Bun.sleep(300);
    const heads = new Map<string, number>();
    const versions = new Map<string, number>();
    for (const { id: userId } of population.users) {
      const { body } = await rest.chats(await population.token(userId));
      for (const { id, eventSequence, membership } of body?.data ?? []) {
        heads.set(id, eventSequence);
        versions.set(`${id} ${userId}`, membership.version);
      }
    }
    const text = JSON.stringify([...heads]);
    const still = text === before && heads.size === population.chats.length;
    before = text;
    if (!still || !allShown() || !clients.every((client) => client.ready() && !client.reading())) continue;
    if (clients.every((client) => hasAll(client, { heads, versions }, population))) return true;
  }
  return false;
}
