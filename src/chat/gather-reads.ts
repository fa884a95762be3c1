import type { Database } from '../db/database.ts';
import { databaseErrorCode, databaseUnavailable, isTimeout, toCaller } from '../db/errors.ts';
import { type WrittenMembership, writeMemberships } from '../db/queries/write-memberships.ts';
import { ChatError } from '../shared/errors.ts';

export interface Read {
  userId: string;
  chatId: string;
  sequence: number;
  /** Nothing is read if the membership is of a later one. */
  version?: number | undefined;
}

export interface GatherReads {
  /** @throws ChatError `chat_not_found`, `database_unavailable` */
  read(read: Read): Promise<WrittenMembership>;
  /** Resolves when what was asked for before is written, or never will be: at once where there is nothing. */
  settled(ofChat: Pick<Read, 'userId' | 'chatId'>): Promise<void>;
}

interface Waiting {
  read: Read;
  /** Epoch milliseconds. */
  until: number;
  written: PromiseWithResolvers<WrittenMembership>;
}

/** How long the first waits for others. */
const gatherMs = 50;
/** Of one statement, which takes some 20 ms with so many. */
const mostReads = 500;
/** Less than a request has. */
const patienceMs = 4_000;
/** Of all that are written one by one: the pool is there for others, too. */
const mostAtOnce = 4;

/**
 * Writes what is read within 50 ms with one statement for all users and chats of the process. Where somebody holds one of
 * the rows, all of them are written one by one, so that nobody waits for what is another's.
 */
export function createGatherReads(
  database: Database,
  onWritten: (written: readonly WrittenMembership[]) => void,
): GatherReads {
  let gathered = new Map<string, Waiting>();
  /** Of each pair, until all that was asked for is answered. */
  const unanswered = new Map<string, Promise<unknown>>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** One by one, because their batch could not be written. */
  const singles: Waiting[] = [];
  let lanes = 0;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const batch = [...gathered.values()];
    gathered = new Map();
    if (batch.length > 0) void write(batch);
  }

  async function write(batch: readonly Waiting[]): Promise<void> {
    try {
      const written = await writeMemberships(
        database,
        batch.map(({ read: { userId, chatId, sequence, version } }) => ({
          ...{ userId, chatId, readTo: sequence, ifVersion: version },
        })),
      );
      const byPlace = new Map(written.map((one) => [one.at, one]));
      batch.forEach((one, at) => {
        const mine = byPlace.get(at);
        if (mine) one.written.resolve(mine);
        else one.written.reject(new ChatError('chat_not_found'));
      });
      onWritten(written);
    } catch (error) {
      const mayPass = isTimeout(error) || databaseErrorCode(error) === deadlock;
      const now = Date.now();
      const waiting = mayPass ? batch.filter(({ until }) => until > now) : [];
      for (const one of batch) if (!waiting.includes(one)) one.written.reject(toCaller(error));
      singles.push(...waiting);
      while (lanes < mostAtOnce && singles.length > 0) void writeSingles();
    }
  }

  async function writeSingles(): Promise<void> {
    lanes += 1;
    for (let next = singles.shift(); next; next = singles.shift()) {
      if (next.until > Date.now()) await write([next]);
      else next.written.reject(databaseUnavailable(new Error('the rows stayed locked')));
    }
    lanes -= 1;
  }

  return {
    read(read) {
      const pair = pairOf(read);
      const other = gathered.get(pair);
      // Two that are read on other conditions can't be told together.
      if (other && other.read.version !== read.version) flush();
      else if (other) {
        other.read.sequence = Math.max(other.read.sequence, read.sequence);
        return other.written.promise;
      }
      const one = {
        read: { ...read },
        until: Date.now() + patienceMs,
        written: Promise.withResolvers<WrittenMembership>(),
      };
      gathered.set(pair, one);
      const answered = Promise.allSettled([unanswered.get(pair), one.written.promise]).then(() => {
        if (unanswered.get(pair) === answered) unanswered.delete(pair);
      });
      unanswered.set(pair, answered);
      if (gathered.size >= mostReads) flush();
      else timer ??= setTimeout(flush, gatherMs);
      return one.written.promise;
    },

    async settled(ofChat) {
      const pair = pairOf(ofChat);
      if (gathered.has(pair)) flush();
      await unanswered.get(pair);
    },
  };
}

const pairOf = ({ userId, chatId }: Pick<Read, 'userId' | 'chatId'>): string => `${userId} ${chatId}`;

const deadlock = '40P01';
