import type { Population, TortureChat } from './population.ts';
import type { Random } from './random.ts';
import type { Rest } from './rest.ts';

export interface Leading {
  /** One group after the other until `stop`. */
  start(): void;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

const pauseMs = 600;
/** So long the others may not post. */
const closedMs = 1_500;

/**
 * Owners give groups a name, let members post and not, and make some of those who stay admins, and members again. Each is asked
 * once: what became of it is in the database.
 */
export function createLeading(options: { random: Random; population: Population; rest: Rest }): Leading {
  const { random, population, rest } = options;
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

  return {
    start() {
      going = true;
      loop = (async () => {
        while (going) {
          await lead(random.pick(groups));
          await Bun.sleep(pauseMs);
        }
      })();
    },
    async stop() {
      going = false;
      await loop;
    },
  };
}
