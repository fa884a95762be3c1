import { createRandom, type Random } from './random.ts';

export const processKinds = ['api', 'worker', 'gateway', 'postgres', 'redis', 'rabbitmq'] as const;
export type ProcessKind = (typeof processKinds)[number];
export type OwnKind = Extract<ProcessKind, 'api' | 'worker' | 'gateway'>;
export type ServerKind = Exclude<ProcessKind, OwnKind>;

/** Who talks to whom; each has a TCP proxy between. */
export const links = [
  'clients-api',
  'clients-gateway',
  'api-postgres',
  'api-redis',
  'api-rabbitmq',
  'worker-postgres',
  'worker-redis',
  'worker-rabbitmq',
  'gateway-postgres',
  'gateway-redis',
] as const;
export type LinkName = (typeof links)[number];
/** Those on which the processes are the clients. */
export type ServerLink = Exclude<LinkName, `clients-${string}`>;
const serverLinks = links.filter((link): link is ServerLink => !link.startsWith('clients-'));

/** Of a kind there are two processes: the first, the second, or both at once. */
export type Which = 0 | 1 | 'both';

type Doing =
  | { kind: 'kill'; process: OwnKind; which: Which }
  | { kind: 'kill'; process: ServerKind }
  | { kind: 'freeze'; process: OwnKind; which: Which }
  | { kind: 'freeze'; process: ServerKind }
  | { kind: 'cut'; link: LinkName; which: Which }
  | { kind: 'black-hole'; link: LinkName; which: Which }
  | { kind: 'delay'; link: LinkName; which: Which; delayMs: number }
  /** The connections there are never say a word again; new ones work. */
  | { kind: 'strand'; link: ServerLink; which: Which }
  /** Frozen for less than it takes most to notice. */
  | { kind: 'stall'; process: ServerKind }
  /** One partition's queue answers nobody; the broker is well. */
  | { kind: 'silent-queue'; partition: number }
  /** Others take four fifths of PostgreSQL's processors. */
  | { kind: 'overload' }
  | { kind: 'redis-flush' }
  | { kind: 'confirm-lost' }
  | { kind: 'disk-alarm' }
  | { kind: 'poison' }
  | { kind: 'crash-loop'; which: Which; crashes: number; everyMs: number }
  | { kind: 'slow-client' }
  | { kind: 'rolling-restart' }
  | { kind: 'membership' };

export const faultKinds = [
  'kill',
  'freeze',
  'cut',
  'black-hole',
  'delay',
  'strand',
  'stall',
  'silent-queue',
  'overload',
  'redis-flush',
  'confirm-lost',
  'disk-alarm',
  'poison',
  'crash-loop',
  'slow-client',
  'rolling-restart',
  'membership',
] as const satisfies readonly Doing['kind'][];
export type FaultKind = (typeof faultKinds)[number];

export type Fault = Doing & {
  /** How long it lasts, at least; 0 for what is over at once. */
  durationMs: number;
};

/** Faults that begin together; the next wave has its time only when these are over and a pause has passed. */
export interface Wave {
  /** From the beginning of the load. */
  atMs: number;
  faults: Fault[];
}

export interface ScheduleOptions {
  seed: number;
  minutes: number;
  /** Only these; all where it is not given. */
  kinds?: readonly FaultKind[] | undefined;
}

/** The first quiet time, in which flow is established. */
const quietFirstMs = 4_000;
/** After each wave: recovery is measured here. */
const quietMs = 5_000;
/** At the end of the load nothing new begins. */
const quietLastMs = 8_000;
/** Long freezes come only in runs that have the time. */
const longRunMinutes = 4;

/** Draws of one seed; the first that has enough of every kind is taken, else the best of them. */
const mostDraws = 200;
/** What a run of this length should have of each kind of fault, and of each process killed and frozen. */
const enough = (minutes: number): number => (minutes >= 10 ? 5 : 1);

/** The same seed, minutes and kinds give the same schedule. */
export function makeSchedule({ seed, minutes, kinds = faultKinds }: ScheduleOptions): Wave[] {
  let best: { waves: Wave[]; least: number } | undefined;
  for (let draw = 0; draw < mostDraws; draw += 1) {
    const waves = drawWaves(createRandom(seed).fork(`schedule ${draw}`), minutes, kinds);
    const least = leastOf(waves, kinds, minutes >= longRunMinutes);
    if (!best || least > best.least) best = { waves, least };
    if (best.least >= enough(minutes)) break;
  }
  return best?.waves ?? [];
}

function drawWaves(random: Random, minutes: number, kinds: readonly FaultKind[]): Wave[] {
  const long = minutes >= longRunMinutes;
  // First those that leave others the least room.
  const lanes = [
    lasting(random.fork('lasting')),
    servers(random.fork('servers'), long),
    own(random.fork('own'), long),
    wires(random.fork('wires')),
    halfDead(random.fork('half dead')),
    instant(random.fork('instant')),
  ].map((lane) => pickingFrom(lane, new Set(kinds)));

  const waves: Wave[] = [];
  const endMs = minutes * 60_000 - quietLastMs;
  let atMs = quietFirstMs;
  for (;;) {
    const faults: Fault[] = [];
    for (const lane of lanes) {
      const next = lane((fault) => faults.every((other) => !meet(fault, other)));
      if (next) faults.push(next);
    }
    if (faults.length === 0) return waves;
    const lasts = Math.max(...faults.map(({ durationMs }) => durationMs));
    if (atMs + lasts > endMs) return waves;
    waves.push({ atMs, faults });
    atMs += lasts + quietMs;
  }
}

/** How often the rarest occurs: kinds, and in a long run each process killed and frozen. */
function leastOf(waves: readonly Wave[], kinds: readonly FaultKind[], long: boolean): number {
  const counts = new Map<string, number>();
  for (const kind of kinds) {
    const names = long && (kind === 'kill' || kind === 'freeze') ? processKinds : [''];
    for (const name of names) counts.set(`${kind} ${name}`, 0);
  }
  for (const fault of waves.flatMap(({ faults }) => faults)) {
    const name = `${fault.kind} ${long && 'process' in fault ? fault.process : ''}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Math.min(...counts.values());
}

export const nameOf = (fault: Fault): string => {
  const which = 'which' in fault ? ` ${fault.which === 'both' ? 'both' : fault.which + 1}` : '';
  if ('process' in fault) {
    const seconds = fault.kind === 'kill' ? '' : ` ${fault.durationMs / 1000}s`;
    return `${fault.kind} ${fault.process}${which}${seconds}`;
  }
  if (fault.kind === 'silent-queue') return `${fault.kind} p${fault.partition}`;
  return 'link' in fault ? `${fault.kind} ${fault.link}${which}` : `${fault.kind}${which}`;
};

/** What a fault takes from everybody. */
function takes(fault: Fault): readonly string[] {
  switch (fault.kind) {
    case 'kill':
    case 'freeze':
    case 'stall':
      return [fault.process];
    case 'cut':
    case 'black-hole':
    case 'delay':
    case 'strand':
      return fault.link === 'api-rabbitmq' ? [fault.link] : [];
    case 'redis-flush':
      return ['redis'];
    case 'confirm-lost':
      return ['api-rabbitmq'];
    case 'disk-alarm':
      return ['rabbitmq'];
    case 'crash-loop':
      return ['worker'];
    case 'rolling-restart':
      return ['api', 'worker', 'gateway'];
    default:
      return [];
  }
}

/** What has to be in health for a fault to be carried out. */
const needs = ({ kind }: Fault): readonly string[] =>
  kind === 'confirm-lost' || kind === 'poison' || kind === 'silent-queue' ? ['rabbitmq'] : [];

const meet = (one: Fault, other: Fault): boolean =>
  takes(one).some((each) => takes(other).includes(each) || needs(other).includes(each)) ||
  takes(other).some((each) => needs(one).includes(each));

type Lane = Generator<Fault, never>;

/** Rounds without end: everything once, in an order of its own, before anything comes again. */
function* rounds(random: Random, round: (count: number) => Fault[]): Lane {
  for (let count = 0; ; count += 1) yield* random.shuffle(round(count));
}

/** Gives the next fault of the wanted kinds that fits; what does not fit now comes first the next time. */
function pickingFrom(
  lane: Lane,
  kinds: ReadonlySet<string>,
): (fits: (fault: Fault) => boolean) => Fault | undefined {
  const waiting: Fault[] = [];
  const mostSkipped = 200;
  return (fits) => {
    const kept = waiting.findIndex(fits);
    if (kept >= 0) return waiting.splice(kept, 1)[0];
    for (let skipped = 0; skipped < mostSkipped; skipped += 1) {
      const fault = lane.next().value;
      if (!kinds.has(fault.kind)) continue;
      if (fits(fault)) return fault;
      waiting.push(fault);
      if (waiting.length > 4) return undefined;
    }
    return undefined;
  };
}

const freezeMs = (count: number, at: number, long: boolean): number =>
  long && count % 5 === at % 5 ? 30_000 : 5_000;
const which = (random: Random): Which => random.pick([0, 1, 0, 1, 0, 1, 'both'] as const);

function servers(random: Random, long: boolean): Lane {
  const kinds = ['postgres', 'redis', 'rabbitmq'] as const;
  return rounds(random, (count) =>
    alternating(random, count, long, [
      kinds.map((process): Fault => ({ kind: 'kill', process, durationMs: random.integer(500, 3_000) })),
      kinds.map((process, at): Fault => ({ kind: 'freeze', process, durationMs: freezeMs(count, at, long) })),
    ]),
  );
}

function own(random: Random, long: boolean): Lane {
  const kinds = ['api', 'worker', 'gateway'] as const;
  return rounds(random, (count) =>
    alternating(random, count, long, [
      kinds.map(
        (process): Fault => ({
          kind: 'kill',
          process,
          which: which(random),
          durationMs: random.integer(200, 3_000),
        }),
      ),
      kinds.map(
        (process, at): Fault => ({
          kind: 'freeze',
          process,
          which: which(random),
          durationMs: freezeMs(count, at + 1, long),
        }),
      ),
    ]),
  );
}

function wires(random: Random): Lane {
  const order = random.shuffle(links);
  return rounds(random, (count) => {
    const link = (shift: number) => order[(count + shift * 3) % order.length] ?? 'api-redis';
    return [
      { kind: 'cut', link: link(0), which: which(random), durationMs: random.integer(100, 2_000) },
      { kind: 'black-hole', link: link(1), which: which(random), durationMs: random.integer(3_000, 7_000) },
      {
        kind: 'delay',
        link: link(2),
        which: which(random),
        delayMs: random.integer(50, 800),
        durationMs: random.integer(3_000, 6_000),
      },
      { kind: 'confirm-lost', durationMs: 2_500 },
      { kind: 'disk-alarm', durationMs: random.integer(3_000, 5_000) },
    ];
  });
}

/** Who is neither there nor gone. */
function halfDead(random: Random): Lane {
  const order = random.shuffle(serverLinks);
  const kinds = random.shuffle(['postgres', 'redis', 'rabbitmq'] as const);
  return rounds(random, (count) => [
    // Most have found another way by then; what is left of 10 s counts as recovery.
    {
      kind: 'strand',
      link: order[count % order.length] ?? 'api-postgres',
      which: which(random),
      durationMs: 5_000,
    },
    {
      kind: 'stall',
      process: kinds[count % kinds.length] ?? 'rabbitmq',
      durationMs: random.integer(3_000, 8_000),
    },
    { kind: 'silent-queue', partition: random.integer(0, 7), durationMs: random.integer(3_000, 6_000) },
    { kind: 'overload', durationMs: random.integer(4_000, 7_000) },
  ]);
}

function lasting(random: Random): Lane {
  return rounds(random, () => [
    {
      kind: 'crash-loop',
      which: random.pick([0, 1, 'both'] as const),
      crashes: 6,
      everyMs: random.integer(300, 900),
      durationMs: 5_000,
    },
    { kind: 'rolling-restart', durationMs: 10_000 },
    ...Array.from(
      { length: 4 },
      (): Fault => ({ kind: 'slow-client', durationMs: random.integer(4_000, 6_000) }),
    ),
  ]);
}

function instant(random: Random): Lane {
  return rounds(random, () => [
    { kind: 'redis-flush', durationMs: 0 },
    { kind: 'poison', durationMs: 0 },
    { kind: 'membership', durationMs: 1_000 },
  ]);
}

/** In a long run all of each group; in a short one one of each, another one in each round. */
function alternating(random: Random, count: number, long: boolean, groups: Fault[][]): Fault[] {
  if (long) return groups.flat();
  return groups.flatMap((group) => {
    const start = random.integer(0, group.length - 1);
    return group.slice((start + count) % group.length).slice(0, 1);
  });
}
