import { type Fault, type LinkName, links, type ServerLink, type Which } from './fault.ts';
import type { Random } from './random.ts';

/** Faults without end, of those that do not happen at the same time. */
export type Lane = Generator<Fault, never>;

/** First those that leave others the least room. */
export const makeLanes = (random: Random, long: boolean, on: readonly LinkName[] = links): Lane[] => [
  lasting(random.fork('lasting')),
  servers(random.fork('servers'), long),
  own(random.fork('own'), long),
  wires(random.fork('wires'), on),
  halfDead(random.fork('half dead'), on),
  instant(random.fork('instant')),
];

/** What servers survive of which there are several. Each stays away for long enough to be missed. */
export const makeClusterLane = (random: Random): Lane =>
  rounds(random, () => [
    { kind: 'leader-kill', partition: random.integer(0, 7), durationMs: random.integer(4_000, 8_000) },
    // Longer than it takes nodes to give each other up.
    { kind: 'partition', node: random.integer(0, 2), durationMs: random.integer(14_000, 18_000) },
    { kind: 'fail-over', process: 'postgres', durationMs: random.integer(4_000, 6_000) },
    { kind: 'fail-over', process: 'redis', durationMs: random.integer(4_000, 6_000) },
  ]);

/** Rounds without end: everything once, in an order of its own, before anything comes again. */
function* rounds(random: Random, round: (count: number) => Fault[]): Lane {
  for (let count = 0; ; count += 1) yield* random.shuffle(round(count));
}

const isToServer = (link: LinkName): link is ServerLink => !link.startsWith('clients-');
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

function wires(random: Random, on: readonly LinkName[]): Lane {
  const order = random.shuffle(on);
  return rounds(random, (count) => {
    const link = (shift: number) => order[(count + shift * 3) % order.length] ?? 'api-postgres';
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
function halfDead(random: Random, on: readonly LinkName[]): Lane {
  const order = random.shuffle(on.filter(isToServer));
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
