import { describe, expect, test } from 'bun:test';
import { parseTortureArguments, type TortureArguments } from '../../torture/arguments.ts';
import { clusterFaultKinds, faultKinds } from '../../torture/fault.ts';
import { clusterRuns } from '../../torture/on-servers.ts';

const parse = (line: string): TortureArguments => {
  const given = parseTortureArguments(line.split(' ').filter((part) => part !== ''));
  if (!('kinds' in given)) throw new Error('it is the embedded one');
  return given;
};

test('without arguments: ten minutes of everything', () => {
  const given = parse('');
  expect(given).toMatchObject({ seed: 1, minutes: 10, messagesASecond: 210, list: false });
  expect(given.kinds).toEqual(faultKinds);
  // Two sockets a user.
  expect(given.users * 2).toBeGreaterThanOrEqual(300);
  expect(given.chats).toBeGreaterThanOrEqual(50);
});

test('takes seed, minutes, faults and report', () => {
  const given = parse('--seed 7 --minutes 1.5 --faults poison,kill --report out.json');
  expect(given).toMatchObject({ seed: 7, minutes: 1.5, kinds: ['kill', 'poison'], report: 'out.json' });
  expect(parse('--faults none').kinds).toEqual([]);
});

test('refuses what it does not know', () => {
  expect(() => parse('--faults kill,meteor')).toThrow('there is no fault meteor');
  expect(() => parse('--minutes ten')).toThrow('--minutes must be 0.25 or more');
  expect(() => parse('--sead 7')).toThrow();
});

describe('that of a cluster', () => {
  const clustered = (line: string) => {
    const given = parseTortureArguments(['--cluster', ...line.split(' ').filter(Boolean)]);
    if (!('redis' in given)) throw new Error('it is another');
    return given;
  };

  test('is light, has faults of its own, and both forms of Redis, for half of the time each', () => {
    const given = clustered('');
    expect(given).toMatchObject({ seed: 1, minutes: 10, messagesASecond: 40, users: 40, chats: 24 });
    expect(given.kinds).toEqual(expect.arrayContaining([...clusterFaultKinds, 'kill', 'black-hole']));
    expect(clusterRuns(given)).toMatchObject([
      { cluster: 'sentinel', seed: 1, minutes: 5 },
      { cluster: 'cluster', seed: 1, minutes: 5 },
    ]);
  });

  test('takes one form of Redis, and what the other takes', () => {
    const given = clustered('--redis cluster --minutes 2 --seed 7 --rate 50 --faults fail-over,kill');
    expect(given).toMatchObject({ messagesASecond: 50, kinds: ['fail-over', 'kill'] });
    expect(clusterRuns(given)).toMatchObject([{ cluster: 'cluster', seed: 7, minutes: 2 }]);
  });

  test('refuses what it does not know, and what belongs to the others', () => {
    expect(() => clustered('--redis valkey')).toThrow('there is no form of Redis valkey');
    expect(() => clustered('--kills 6')).toThrow('--kills: only with --embedded');
    expect(() => clustered('--embedded')).toThrow('--cluster: not with --embedded');
    expect(() => parse('--redis sentinel')).toThrow('--redis: only with --cluster');
    expect(() => parse('--faults fail-over')).toThrow('there is no fault fail-over');
  });
});

describe('the embedded one', () => {
  const embedded = (line: string) =>
    parseTortureArguments(['--embedded', ...line.split(' ').filter(Boolean)]);

  test('is fifty kills, and takes kills, seed, rate and report', () => {
    expect(embedded('')).toEqual({ seed: 1, kills: 50, messagesASecond: 100, report: undefined });
    expect(embedded('--kills 6 --seed 9 --rate 40 --report out.json')).toEqual({
      seed: 9,
      kills: 6,
      messagesASecond: 40,
      report: 'out.json',
    });
  });

  test('refuses what belongs to the other', () => {
    expect(() => embedded('--minutes 3 --list')).toThrow('--minutes, --list: not with --embedded');
    expect(() => parse('--kills 6')).toThrow('--kills: only with --embedded');
    expect(() => embedded('--kills 3')).toThrow('--kills must be 4 or more');
  });
});
