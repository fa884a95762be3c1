import type { Database } from '../db/database.ts';
import { withDeadline } from '../shared/deadline.ts';

/** Something the process stands on. */
export interface Dependency {
  name: string;
  /**
   * Whether it is this process's alone, so that another may do what this one can't. What all share is no reason to lead
   * requests elsewhere: with PostgreSQL away for 10 s a balancer that does so took every api out, and refused half of what
   * they would have answered.
   */
  own: boolean;
  /** False, a rejection, or no answer within a second: it is down. */
  check(): boolean | Promise<boolean>;
  /** What is wrong with it although it is up, in words for an operator. */
  problems?: (() => readonly string[]) | undefined;
  figures?: (() => Readonly<Record<string, number>> | undefined) | undefined;
}

const answerWithinMs = 1_000;
/** Anybody may ask: whoever asks more often gets the last answer. */
const believedForMs = 1_000;

export interface ReadinessParts {
  database: Database;
  queue?: Omit<Dependency, 'name'>;
  /** Undefined where nothing outside the process keeps them. */
  hints: Dependency['check'] | undefined;
  /** Whether the other processes are set up as this one; undefined where there are none. */
  peers: Dependency['check'] | undefined;
  gateway?: Dependency['check'];
  /** Whether the process has been told to end. */
  leaving(): boolean;
}

/** What `/readyz` of a process looks at. */
export interface Readiness {
  dependencies: readonly Dependency[];
  leaving(): boolean;
}

export function readinessOf({ database, queue, hints, peers, gateway, leaving }: ReadinessParts): Readiness {
  const answers = async () => {
    await database.query('SELECT 1', []);
    return true;
  };
  return {
    dependencies: [
      { name: 'database', own: false, check: answers },
      ...(queue ? [{ name: 'queue', ...queue }] : []),
      ...(hints ? [{ name: 'redis', own: false, check: hints }] : []),
      ...(peers ? [{ name: 'peers', own: false, check: peers }] : []),
      ...(gateway ? [{ name: 'gateway', own: true, check: gateway }] : []),
    ],
    leaving,
  };
}

/** What `/readyz` says. */
interface ReadinessReport {
  status: 'ready' | 'degraded' | 'unavailable';
  dependencies: Record<string, 'up' | 'down'>;
  problems?: string[];
  figures?: Record<string, Readonly<Record<string, number>>>;
}

export function createReadinessReport({ dependencies, leaving }: Readiness): () => Promise<ReadinessReport> {
  const watched = dependencies.map((dependency) => ({ ...dependency, isUp: lookNowAndThen(dependency) }));

  return async () => {
    const checked = await Promise.all(
      watched.map(async (dependency) => ({ ...dependency, up: await dependency.isUp() })),
    );
    const down = checked.filter(({ up }) => !up);
    const unavailable = leaving() || down.some(({ own }) => own);
    const problems = [...new Set(dependencies.flatMap(({ problems }) => problems?.() ?? []))];
    const degraded = down.length > 0 || problems.length > 0;
    const figures = dependencies.flatMap(({ name, figures }) => {
      const known = figures?.();
      return known ? [[name, known] as const] : [];
    });
    return {
      status: unavailable ? 'unavailable' : degraded ? 'degraded' : 'ready',
      dependencies: Object.fromEntries(checked.map(({ name, up }) => [name, up ? 'up' : 'down'])),
      ...(problems.length > 0 ? { problems } : {}),
      ...(figures.length > 0 ? { figures: Object.fromEntries(figures) } : {}),
    };
  };
}

/** One look serves all who ask while it is under way and for a second from its beginning. */
function lookNowAndThen(dependency: Dependency): () => Promise<boolean> {
  let last = { begunAt: Number.NEGATIVE_INFINITY, up: Promise.resolve(false) };
  return () => {
    const now = performance.now();
    if (now - last.begunAt >= believedForMs) last = { begunAt: now, up: isUp(dependency) };
    return last.up;
  };
}

async function isUp({ check }: Dependency): Promise<boolean> {
  try {
    return await withDeadline(Promise.resolve(check()), answerWithinMs, () => new Error('no answer'));
  } catch {
    return false;
  }
}
