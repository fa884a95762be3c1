import { describe, expect, test } from 'bun:test';
import {
  clusterFaultKinds,
  faultKinds,
  isOfCluster,
  links,
  nameOf,
  processKinds,
} from '../../torture/fault.ts';
import { makeSchedule } from '../../torture/schedule.ts';

const countsOf = (waves: ReturnType<typeof makeSchedule>): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { faults } of waves) {
    for (const fault of faults) {
      for (const name of 'process' in fault ? [fault.kind, `${fault.kind} ${fault.process}`] : [fault.kind]) {
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    }
  }
  return counts;
};

const seeds = [1, 2, 3, 2026, 4_294_967_295];

describe('makeSchedule', () => {
  test('the same seed gives the same schedule, another seed another one', () => {
    expect(makeSchedule({ seed: 7, minutes: 10 })).toEqual(makeSchedule({ seed: 7, minutes: 10 }));
    expect(makeSchedule({ seed: 7, minutes: 10 })).not.toEqual(makeSchedule({ seed: 8, minutes: 10 }));
  });

  for (const seed of seeds) {
    test(`in ten minutes every kind at least five times, each process killed and frozen as often (seed ${seed})`, () => {
      const waves = makeSchedule({ seed, minutes: 10 });
      const counts = countsOf(waves);
      for (const kind of faultKinds) expect([kind, (counts.get(kind) ?? 0) >= 5]).toEqual([kind, true]);
      for (const process of processKinds) {
        for (const kind of ['kill', 'freeze']) {
          const name = `${kind} ${process}`;
          expect([name, (counts.get(name) ?? 0) >= 5]).toEqual([name, true]);
        }
      }
      const touched = new Set(
        waves.flatMap(({ faults }) => faults.flatMap((f) => ('link' in f ? [f.link] : []))),
      );
      expect([...touched].sort()).toEqual([...links].sort());
      const stranded = waves.flatMap(({ faults }) => faults.filter(({ kind }) => kind === 'strand'));
      expect(stranded.filter((fault) => nameOf(fault).includes('clients-'))).toEqual([]);
      const frozen = waves.flatMap(({ faults }) => faults).filter(({ kind }) => kind === 'freeze');
      expect(new Set(frozen.map(({ durationMs }) => durationMs))).toEqual(new Set([5_000, 30_000]));
    });

    test(`in 80 seconds every kind at least once (seed ${seed})`, () => {
      const counts = countsOf(makeSchedule({ seed, minutes: 80 / 60 }));
      expect(faultKinds.filter((kind) => !counts.has(kind))).toEqual([]);
    });
  }

  test('waves do not overlap, leave time to recover, and end before the load does', () => {
    const waves = makeSchedule({ seed: 3, minutes: 10 });
    waves.forEach((wave, at) => {
      const ends = wave.atMs + Math.max(...wave.faults.map(({ durationMs }) => durationMs));
      expect(waves[at + 1]?.atMs ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(ends + 5_000);
      expect(ends).toBeLessThanOrEqual(600_000 - 8_000);
    });
  });

  test('a server is not killed under a fault that needs it', () => {
    for (const seed of seeds) {
      for (const { faults } of makeSchedule({ seed, minutes: 10 })) {
        const names = faults.map(nameOf);
        const down = names.some((name) => /^(kill|freeze|stall) rabbitmq/.test(name));
        const needing = /^(disk-alarm|confirm-lost|poison|silent-queue)/;
        if (down) expect(names.filter((name) => needing.test(name))).toEqual([]);
      }
    }
  });

  describe.each(['sentinel', 'cluster'] as const)('of a cluster, Redis by %s', (cluster) => {
    test.each(seeds)(
      'in five minutes each of its own faults twice, alone, between others (seed %d)',
      (seed) => {
        const waves = makeSchedule({ seed, minutes: 5, cluster });
        waves.forEach(({ faults }, at) => {
          expect(faults.map(isOfCluster)).toEqual(at % 2 === 0 ? [true] : faults.map(() => false));
        });
        const counts = countsOf(waves);
        for (const name of [...clusterFaultKinds, 'fail-over postgres', 'fail-over redis'])
          expect([name, (counts.get(name) ?? 0) >= 2]).toEqual([name, true]);
      },
    );
  });

  test('in a cluster nothing is done to what stands between a process and Redis', () => {
    const waves = seeds.flatMap((seed) => makeSchedule({ seed, minutes: 10, cluster: 'sentinel' }));
    const touched = waves.flatMap(({ faults }) => faults.flatMap((f) => ('link' in f ? [f.link] : [])));
    expect(new Set(touched)).toEqual(new Set(links.filter((link) => !link.endsWith('-redis'))));
  });

  test('each form of Redis has a schedule of its own', () => {
    const [one, other] = (['sentinel', 'cluster'] as const).map((cluster) =>
      makeSchedule({ seed: 1, minutes: 5, cluster }),
    );
    expect(one).not.toEqual(other);
  });

  test('only the kinds asked for', () => {
    const waves = makeSchedule({ seed: 1, minutes: 2, kinds: ['kill', 'poison'] });
    expect(new Set(waves.flatMap(({ faults }) => faults.map(({ kind }) => kind)))).toEqual(
      new Set(['kill', 'poison']),
    );
    expect(makeSchedule({ seed: 1, minutes: 2, kinds: [] })).toEqual([]);
    const cluster = makeSchedule({ seed: 1, minutes: 2, kinds: ['partition'], cluster: 'cluster' });
    expect(new Set(cluster.flatMap(({ faults }) => faults.map(({ kind }) => kind)))).toEqual(
      new Set(['partition']),
    );
  });
});
