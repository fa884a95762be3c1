import postgres from 'postgres';
import { now } from './clock.ts';
import type { Population, TortureChat } from './population.ts';
import type { Random } from './random.ts';
import type { Recorder } from './recorder.ts';
import type { Rest } from './rest.ts';

export interface ComingsAndGoings {
  /** One change after the other until `stop`. */
  start(): void;
  /** Resolves when the change under way has ended. */
  stop(): Promise<void>;
  /** Several changes at once, in different chats. */
  burst(count: number): Promise<void>;
  /** At the very end: what requests that nobody waited for have changed after all. */
  reconcile(): Promise<void>;
  close(): Promise<void>;
}

const pauseMs = 600;
const giveUpMs = 20_000;

/** Owners add and remove participants; each change that took place is recorded with its number from PostgreSQL itself. */
export function createComingsAndGoings(options: {
  random: Random;
  population: Population;
  rest: Rest;
  recorder: Recorder;
  databaseUrl: string;
}): ComingsAndGoings {
  const { random, population, rest, recorder } = options;
  const sql = postgres(options.databaseUrl, { max: 2, onnotice: () => {}, connect_timeout: 3 });
  const groups = population.chats.filter((chat) => chat.isGroup && chat.floating.length > 0);
  /** A request of theirs may still be carried out by a process that was frozen: they are left alone. */
  const unsure = new Map<string, { chatId: string; userId: string; begunAt: number }>();
  const busy = new Set<TortureChat>();
  let going = false;
  let loop: Promise<void> = Promise.resolve();

  async function stateOf(chatId: string, userId: string): Promise<{ active: boolean; number: number }> {
    for (;;) {
      try {
        const [row] = await sql`SELECT left_at IS NULL AS active, changed_event_sequence::int AS number
          FROM chat_participants WHERE chat_id = ${chatId} AND user_id = ${userId}`;
        return { active: row?.active === true, number: Number(row?.number ?? 0) };
      } catch {
        await Bun.sleep(200);
      }
    }
  }

  async function change(chat: TortureChat): Promise<void> {
    const candidates = chat.floating.filter((userId) => !unsure.has(`${chat.id} ${userId}`));
    if (candidates.length === 0 || chat.ended || busy.has(chat)) return;
    busy.add(chat);
    const userId = random.pick(candidates);
    const add = !chat.members.has(userId);
    const before = await stateOf(chat.id, userId);
    const credential = await population.credential(chat.ownerId);
    const begunAt = now();
    let endedAt: number | undefined;
    if (!add) chat.members.delete(userId);
    while (endedAt === undefined && now() < begunAt + giveUpMs) {
      const { status } = await (add ? rest.add : rest.remove)(credential, chat.id, userId);
      if (status === 200 || status === 204 || status === 404) endedAt = now();
      else {
        // Refused for a reason of the server's own, or unknown: either may have been carried out.
        unsure.set(`${chat.id} ${userId}`, { chatId: chat.id, userId, begunAt });
        await Bun.sleep(300);
      }
    }
    const after = await stateOf(chat.id, userId);
    if (after.active === add && after.number !== before.number) {
      recorder.memberships.push({
        chatId: chat.id,
        userId,
        change: add ? 'added' : 'removed',
        number: after.number,
        begunAt,
        endedAt: endedAt ?? now(),
      });
    }
    if (after.active && !chat.ended) chat.members.add(userId);
    busy.delete(chat);
  }

  return {
    start() {
      going = true;
      loop = (async () => {
        while (going) {
          await change(random.pick(groups));
          await Bun.sleep(pauseMs);
        }
      })();
    },
    async stop() {
      going = false;
      await loop;
    },
    async burst(count) {
      await Promise.all(random.shuffle(groups).slice(0, count).map(change));
    },
    async reconcile() {
      for (const { chatId, userId, begunAt } of unsure.values()) {
        const { active, number } = await stateOf(chatId, userId);
        const known = recorder.memberships.findLast(
          (each) => each.chatId === chatId && each.userId === userId,
        );
        const chat = groups.find(({ id }) => id === chatId);
        const first = chat?.created.participants.some((participant) => participant.userId === userId);
        if (number === 0 || known?.number === number || (!known && first === active)) continue;
        const change = active ? ('added' as const) : ('removed' as const);
        recorder.memberships.push({ chatId, userId, change, number, begunAt, endedAt: now() });
      }
    },
    close: () => sql.end({ timeout: 2 }),
  };
}
