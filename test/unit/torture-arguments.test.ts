import { describe, expect, test } from 'bun:test';
import { parseTortureArguments, type TortureArguments } from '../../torture/arguments.ts';
import { faultKinds } from '../../torture/fault.ts';

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
