import { ChatError } from '../shared/errors.ts';

/** Who asks for a turn: none of them gets more of the turns than the others by asking more often. */
export interface Asker {
  /** The address, or what stands for it. */
  member: string;
  /** The network it belongs to: all of its members together count as one, too. */
  group: string;
  /** Goes before all strangers. */
  known: boolean;
}

export interface TurnLimits {
  /** How many are at work at once. */
  concurrency: number;
  /** How many may wait behind them. */
  maxWaiting: number;
  /** How long one may wait for its turn. */
  maxWaitMs: number;
}

/**
 * @param isHarmless whether a turn is not to count, once it has ended
 * @throws ChatError `server_busy`
 */
export type FairTurns = <Result>(
  asker: Asker,
  work: () => Promise<Result>,
  isHarmless?: (result: Result) => boolean,
) => Promise<Result>;

interface Waiting {
  asker: Asker;
  start(): void;
  giveUp(): void;
}

/** What somebody asked for weighs half after so long. */
const halfLifeMs = 60_000;
const mostRemembered = 10_000;

/**
 * Whom we know goes first, and finds a place that strangers leave free, where there are two or more. Among those alike the next turn
 * goes to whoever asked least of late, so who comes now and then waits for one turn to end, whatever others ask for. When all
 * that may wait do, a newcomer takes the place of whoever asks the most.
 */
export function createFairTurns({ concurrency, maxWaiting, maxWaitMs }: TurnLimits): FairTurns {
  const running = { known: 0, strangers: 0 };
  const waiting = new Set<Waiting>();
  const asked = new Map<string, { times: number; at: number }>();

  function timesOf(name: string, now: number): number {
    const entry = asked.get(name);
    return entry ? entry.times * 0.5 ** ((now - entry.at) / halfLifeMs) : 0;
  }

  function remember(asker: Asker, more: 1 | -1): void {
    const now = performance.now();
    for (const name of [groupName(asker), memberName(asker)]) {
      const times = Math.max(0, timesOf(name, now) + more);
      // Last in the Map's order: the most recent.
      asked.delete(name);
      const oldest = asked.size >= mostRemembered ? asked.keys().next().value : undefined;
      if (oldest !== undefined) asked.delete(oldest);
      asked.set(name, { times, at: now });
    }
  }

  /** The lower goes first: strangers last, by what the group asked for, then by what the member did. Moments do not count. */
  function rankOf(asker: Asker, now: number): Rank {
    const times = [groupName(asker), memberName(asker)].map((name) => Math.round(timesOf(name, now) * 100));
    return [asker.known ? 0 : 1, ...times];
  }

  function mayBegin({ known }: Asker): boolean {
    const free = running.known + running.strangers < concurrency;
    return free && (known || running.strangers < Math.max(1, concurrency - 1));
  }

  const count = ({ known }: Asker, by: 1 | -1): void => {
    running[known ? 'known' : 'strangers'] += by;
  };

  /** The first of those with the lowest rank, and the last of those with the highest. */
  function findEnds(): { next: Waiting; last: Waiting } | undefined {
    const now = performance.now();
    const ranked = [...waiting].map((entry) => ({ entry, rank: rankOf(entry.asker, now) }));
    const [first] = ranked;
    if (!first) return undefined;
    let [next, last] = [first, first];
    for (const each of ranked) {
      if (compare(each.rank, next.rank) < 0) next = each;
      if (compare(each.rank, last.rank) >= 0) last = each;
    }
    return { next: next.entry, last: last.entry };
  }

  function takeTurn(asker: Asker): Promise<void> | undefined {
    if (mayBegin(asker)) {
      count(asker, 1);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        waiting.delete(entry);
      };
      const entry: Waiting = {
        asker,
        start() {
          leave();
          resolve();
        },
        giveUp() {
          leave();
          reject(busy());
        },
      };
      const timer = setTimeout(entry.giveUp, maxWaitMs);
      waiting.add(entry);
      if (waiting.size > maxWaiting) findEnds()?.last.giveUp();
    });
  }

  function passTurn(asker: Asker): void {
    count(asker, -1);
    const next = findEnds()?.next;
    if (!next || !mayBegin(next.asker)) return;
    count(next.asker, 1);
    next.start();
  }

  return async (asker, work, isHarmless) => {
    remember(asker, 1);
    await takeTurn(asker);
    try {
      const result = await work();
      if (isHarmless?.(result)) remember(asker, -1);
      return result;
    } finally {
      passTurn(asker);
    }
  };
}

const groupName = ({ group }: Asker): string => `group ${group}`;
const memberName = ({ member }: Asker): string => `member ${member}`;

type Rank = readonly number[];

function compare(one: Rank, other: Rank): number {
  const at = one.findIndex((each, place) => each !== other[place]);
  return at < 0 ? 0 : (one[at] ?? 0) - (other[at] ?? 0);
}

const busy = (): ChatError =>
  new ChatError('server_busy', 'Too many passwords are being checked.', { retryAfterSeconds: 2 });
