import { ChatError } from '../shared/errors.ts';

/** Who asks for a turn: none of them can have more of the turns than the others by asking more often. */
export interface Asker {
  /** The address, or what stands for it. */
  member: string;
  /** The network it belongs to: all of its members together count as one, too. */
  group: string;
  /** Goes before strangers who had as little. */
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

export type FairTurns = <Result>(asker: Asker, work: () => Promise<Result>) => Promise<Result>;

const groupName = ({ group }: Asker): string => `group ${group}`;
const memberName = ({ member }: Asker): string => `member ${member}`;

interface Waiting {
  asker: Asker;
  start(): void;
  giveUp(): void;
}

/** What somebody had weighs half after so long. */
const halfLifeMs = 60_000;
const mostRemembered = 10_000;
/** As much as one turn had a minute ago: strangers wait until those are served whom we know. */
const strangersHandicap = 0.5;

/**
 * The next turn goes to whoever had the least of late, so who comes now and then waits for one turn to end, whatever
 * others ask for. When all places are taken, a newcomer takes that of whoever had and wants the most.
 */
export function createFairTurns({ concurrency, maxWaiting, maxWaitMs }: TurnLimits): FairTurns {
  let running = 0;
  const waiting = new Set<Waiting>();
  const had = new Map<string, { turns: number; at: number }>();

  function turnsOf(name: string, now: number): number {
    const entry = had.get(name);
    return entry ? entry.turns * 0.5 ** ((now - entry.at) / halfLifeMs) : 0;
  }

  function remember(asker: Asker): void {
    const now = performance.now();
    for (const name of [groupName(asker), memberName(asker)]) {
      const turns = turnsOf(name, now) + 1;
      // Last in the Map's order: the most recent.
      had.delete(name);
      const oldest = had.size >= mostRemembered ? had.keys().next().value : undefined;
      if (oldest !== undefined) had.delete(oldest);
      had.set(name, { turns, at: now });
    }
  }

  /** The lower goes first: by what the group had, then by what the member had. */
  function rankOf(asker: Asker, now: number): [number, number] {
    const handicap = asker.known ? 0 : strangersHandicap;
    return [turnsOf(groupName(asker), now) + handicap, turnsOf(memberName(asker), now)];
  }

  function pickNext(): Waiting | undefined {
    const now = performance.now();
    let best: { entry: Waiting; rank: [number, number] } | undefined;
    for (const entry of waiting) {
      const rank = rankOf(entry.asker, now);
      if (!best || rank[0] < best.rank[0] || (rank[0] === best.rank[0] && rank[1] < best.rank[1])) {
        best = { entry, rank };
      }
    }
    return best?.entry;
  }

  /** @throws ChatError `server_busy` when nobody had and wants more than the newcomer */
  function makeRoomFor(asker: Asker): void {
    const wanted = new Map<string, number>([[asker.group, 1]]);
    for (const { asker: other } of waiting) wanted.set(other.group, (wanted.get(other.group) ?? 0) + 1);
    const now = performance.now();
    const demandOf = (of: Asker) => rankOf(of, now)[0] + (wanted.get(of.group) ?? 0);

    let worst: { entry: Waiting; demand: number } | undefined;
    for (const entry of waiting) {
      const demand = demandOf(entry.asker);
      // The last of them to come is the one to go.
      if (!worst || demand >= worst.demand) worst = { entry, demand };
    }
    if (!worst || worst.demand <= demandOf(asker)) throw busy();
    worst.entry.giveUp();
  }

  function takeTurn(asker: Asker): Promise<void> | undefined {
    if (running < concurrency) {
      running += 1;
      remember(asker);
      return undefined;
    }
    if (waiting.size >= maxWaiting) makeRoomFor(asker);
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        waiting.delete(entry);
      };
      const entry: Waiting = {
        asker,
        start() {
          leave();
          remember(asker);
          resolve();
        },
        giveUp() {
          leave();
          reject(busy());
        },
      };
      const timer = setTimeout(entry.giveUp, maxWaitMs);
      waiting.add(entry);
    });
  }

  // A turn passes from one to the next: `running` stays what it is.
  function passTurn(): void {
    const next = pickNext();
    if (next) next.start();
    else running -= 1;
  }

  return async (asker, work) => {
    await takeTurn(asker);
    try {
      return await work();
    } finally {
      passTurn();
    }
  };
}

const busy = (): ChatError =>
  new ChatError('server_busy', 'Too many passwords are being checked.', { retryAfterSeconds: 2 });
