import type { OwnProcess } from '../harness/process.ts';
import type { TortureClient } from './client.ts';
import { connectAll } from './clients.ts';
import { now } from './clock.ts';
import type { PresenceReading } from './history.ts';
import { rightWithinMs, wrongIn } from './invariants/presence.ts';
import type { Population } from './population.ts';
import type { Rest } from './rest.ts';

const everyMs = 1_000;

export interface PresenceReader {
  /** Asks until it is right of all of them, or should have been for a while. */
  read(userIds: readonly string[], how: PresenceReading['how'], since: number): Promise<PresenceReading[]>;
}

/** Each user is asked of by one who shares a chat with them. */
export function createPresenceReader({
  population,
  rest,
}: {
  population: Population;
  rest: Rest;
}): PresenceReader {
  const chats = population.chats.filter(({ ended }) => !ended);
  const viewers = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const { members } of chats) {
    const [one = '', other = ''] = members;
    for (const userId of members) {
      if (seen.has(userId)) continue;
      seen.add(userId);
      viewers.getOrInsertComputed(userId === one ? other : one, () => []).push(userId);
    }
  }

  async function ask(wanted: ReadonlySet<string>, how: PresenceReading['how'], since: number) {
    const answers = await Promise.all(
      [...viewers].map(async ([viewer, userIds]) => {
        const asked = userIds.filter((userId) => wanted.has(userId)).slice(0, 100);
        if (asked.length === 0) return [];
        const { body } = await rest.presence(await population.token(viewer), asked);
        return body?.data ?? [];
      }),
    );
    const readAt = now();
    return answers.flat().map(
      ({ userId, online, lastSeenAt }): PresenceReading => ({
        userId,
        how,
        since,
        online,
        lastSeenAt,
        readAt,
      }),
    );
  }

  return {
    async read(userIds, how, since) {
      let waiting = new Set(userIds);
      const readings: PresenceReading[] = [];
      // A while longer than it may take: what is late is told as late.
      const deadline = since + 2 * rightWithinMs[how];
      for (;;) {
        const over = now() > deadline;
        const answered = await ask(waiting, how, since);
        const right = answered.filter((reading) => over || wrongIn(reading) === undefined);
        readings.push(...right);
        // With some nobody shares a chat.
        if (answered.length > 0) waiting = new Set(answered.map(({ userId }) => userId));
        for (const { userId } of right) waiting.delete(userId);
        if (over || waiting.size === 0) return readings;
        await Bun.sleep(everyMs);
      }
    },
  };
}

/** At the end of a run, when nothing is wrong any more. */
export async function readAllPresence(options: {
  reader: PresenceReader;
  clients: readonly TortureClient[];
  /** Since when all have been connected. */
  since: number;
}): Promise<PresenceReading[]> {
  const { reader, clients, since } = options;
  const userIds = [...new Set(clients.map(({ userId }) => userId))];
  const leaving = new Set(userIds.filter((_, at) => at % 2 === 0));
  const readings = await reader.read(userIds, 'connected', since);
  for (const client of clients) if (leaving.has(client.userId)) client.disconnect();
  readings.push(...(await reader.read([...leaving], 'disconnected', now())));
  // Who has stayed is there, and of nobody was it said that they had gone with the others.
  readings.push(
    ...(await reader.read(
      userIds.filter((id) => !leaving.has(id)),
      'connected',
      now(),
    )),
  );
  return readings;
}

/** Kills the gateways under all who are connected. */
export async function readPresenceOfTheDead(options: {
  reader: PresenceReader;
  clients: readonly TortureClient[];
  gateways: readonly OwnProcess[];
}): Promise<PresenceReading[]> {
  const { reader, clients, gateways } = options;
  await connectAll(clients);
  await Promise.all(gateways.map((gateway) => gateway.kill()));
  return reader.read([...new Set(clients.map(({ userId }) => userId))], 'gateway died', now());
}
