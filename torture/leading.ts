import postgres from 'postgres';
import { now } from './clock.ts';
import type { Population, TortureChat } from './population.ts';
import type { Random } from './random.ts';
import type { Recorder } from './recorder.ts';
import type { Rest } from './rest.ts';

export interface Leading {
  /** One group after the other until `stop`. */
  start(): void;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

const pauseMs = 600;
/** So long the others may not post. */
const closedMs = 1_500;
/** The second turn is an end, and each so many after it; at most so many of all groups. */
const endEvery = 8;
const mostEnded = 0.2;
const retryMs = 300;

/**
 * Owners give groups a name, let members post and not, make some of those who stay admins, and members again, and delete groups.
 * Each is asked once, what became of it is in the database; but for an end, which is asked for until it is answered.
 */
export function createLeading(options: {
  random: Random;
  population: Population;
  rest: Rest;
  recorder: Recorder;
  databaseUrl: string;
}): Leading {
  const { random, population, rest, recorder } = options;
  const sql = postgres(options.databaseUrl, { max: 1, onnotice: () => {}, connect_timeout: 3 });
  const groups = population.chats.filter(({ isGroup }) => isGroup);
  let going = false;
  let loop: Promise<void> = Promise.resolve();
  let count = 0;

  async function lead({ id, ownerId, members, floating }: TortureChat): Promise<void> {
    const token = await population.token(ownerId);
    const staying = [...members].filter((userId) => userId !== ownerId && !floating.includes(userId));
    count += 1;
    await rest.update(token, id, { name: `name ${count}`, posting: 'admins' });
    await rest.setRole(token, id, random.pick(staying), random.pick(['admin', 'member']));
    await Bun.sleep(closedMs);
    await rest.update(token, id, { posting: 'all' });
  }

  async function end(chat: TortureChat): Promise<void> {
    chat.ended = true;
    const token = await population.token(chat.ownerId);
    const begunAt = now();
    for (;;) {
      const { status } = await rest.end(token, chat.id);
      if (status === 204 || status === 404) break;
      await Bun.sleep(retryMs);
    }
    const endedAt = now();
    for (const { userId, number } of await removedAtTheEnd(chat.id)) {
      recorder.memberships.push({ chatId: chat.id, userId, change: 'removed', number, begunAt, endedAt });
    }
  }

  async function removedAtTheEnd(chatId: string): Promise<{ userId: string; number: number }[]> {
    for (;;) {
      try {
        return await sql`SELECT p.user_id AS "userId", p.changed_event_sequence::int AS number
          FROM chat_participants p JOIN chats c ON c.id = p.chat_id AND c.last_event_sequence = p.changed_event_sequence
          WHERE p.chat_id = ${chatId} AND c.deleted_at IS NOT NULL`;
      } catch {
        await Bun.sleep(retryMs);
      }
    }
  }

  return {
    start() {
      going = true;
      loop = (async () => {
        for (let turn = 0; going; turn += 1) {
          const left = groups.filter(({ ended }) => !ended);
          const ends = turn % endEvery === 1 && left.length > groups.length * (1 - mostEnded);
          await (ends ? end : lead)(random.pick(left));
          await Bun.sleep(pauseMs);
        }
      })();
    },
    async stop() {
      going = false;
      await loop;
    },
    close: () => sql.end({ timeout: 2 }),
  };
}
