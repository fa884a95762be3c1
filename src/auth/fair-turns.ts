import { ChatError } from '../shared/errors.ts';

/** Who asks for a turn: none of them gets more of the turns than the others by asking more often. */
export interface Asker {
  /** The address, or what stands for it. */
  member: string;
  /** The network it belongs to: all of its members together count as one, too. */
  group: string;
  /** Goes before strangers. */
  known: boolean;
}

export interface TurnLimits {
  /** How many are at work at once. */
  concurrency: number;
  /** How many strangers may wait behind them, and how many that we know. */
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
/** Turns of people whom we know, after which a stranger who waits has one: accounts of one's own make anybody known. */
const mostInARow = 3;

type Kind = 'known' | 'strangers';
const kindOf = ({ known }: Asker): Kind => (known ? 'known' : 'strangers');

/**
 * Whom we know goes first, three times of four, and finds a place that strangers leave free, where there are two or more. Among
 * those alike the next turn goes to whoever asked least of late, so who comes now and then waits for one turn to end, whatever
 * others ask for. When as many wait as may, a newcomer takes the place of whoever asks the most.
 */
export function createFairTurns({ concurrency, maxWaiting, maxWaitMs }: TurnLimits): FairTurns {
  const running: Record<Kind, number> = { known: 0, strangers: 0 };
  const waiting: Record<Kind, Set<Waiting>> = { known: new Set(), strangers: new Set() };
  let knownInARow = 0;
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

  /** The lower goes first: by what the group asked for, then by what the member did. Moments do not count. */
  function rankOf(asker: Asker, now: number): [number, number] {
    const [byGroup, byMember] = [timesOf(groupName(asker), now), timesOf(memberName(asker), now)];
    return [Math.round(byGroup * 100), Math.round(byMember * 100)];
  }

  function mayBegin(kind: Kind): boolean {
    const free = running.known + running.strangers < concurrency;
    return free && (kind === 'known' || running.strangers < Math.max(1, concurrency - 1));
  }

  function begin(kind: Kind): void {
    running[kind] += 1;
    knownInARow = kind === 'known' ? knownInARow + 1 : 0;
  }

  /** The first of those with the lowest rank, and the last of those with the highest. */
  function endsOf(kind: Kind): { next: Waiting; last: Waiting } | undefined {
    const now = performance.now();
    const ranked = Array.from(waiting[kind], (entry) => ({ entry, rank: rankOf(entry.asker, now) }));
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
    const kind = kindOf(asker);
    if (mayBegin(kind)) {
      begin(kind);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        waiting[kind].delete(entry);
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
      waiting[kind].add(entry);
      if (waiting[kind].size > maxWaiting) endsOf(kind)?.last.giveUp();
    });
  }

  function passTurn(asker: Asker): void {
    running[kindOf(asker)] -= 1;
    const order: Kind[] = knownInARow < mostInARow ? ['known', 'strangers'] : ['strangers', 'known'];
    const kind = order.find((each) => waiting[each].size > 0 && mayBegin(each));
    if (!kind) return;
    begin(kind);
    endsOf(kind)?.next.start();
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

const compare = (one: [number, number], other: [number, number]): number =>
  one[0] - other[0] || one[1] - other[1];

const busy = (): ChatError =>
  new ChatError('server_busy', 'Too many passwords are being checked.', { retryAfterSeconds: 2 });
