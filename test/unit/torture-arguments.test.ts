import { expect, test } from 'bun:test';
import { parseTortureArguments } from '../../src/commands/torture/arguments.ts';
import { faultKinds } from '../../src/commands/torture/schedule.ts';

test('without arguments: ten minutes of everything', () => {
  const given = parseTortureArguments([]);
  expect(given).toMatchObject({ seed: 1, minutes: 10, messagesASecond: 210, list: false });
  expect(given.kinds).toEqual(faultKinds);
  // Two sockets a user.
  expect(given.users * 2).toBeGreaterThanOrEqual(300);
  expect(given.chats).toBeGreaterThanOrEqual(50);
});

test('takes seed, minutes, faults and report', () => {
  const given = parseTortureArguments(
    '--seed 7 --minutes 1.5 --faults poison,kill --report out.json'.split(' '),
  );
  expect(given).toMatchObject({ seed: 7, minutes: 1.5, kinds: ['kill', 'poison'], report: 'out.json' });
  expect(parseTortureArguments(['--faults', 'none']).kinds).toEqual([]);
});

test('refuses what it does not know', () => {
  expect(() => parseTortureArguments(['--faults', 'kill,meteor'])).toThrow('there is no fault meteor');
  expect(() => parseTortureArguments(['--minutes', 'ten'])).toThrow('--minutes must be 0.25 or more');
  expect(() => parseTortureArguments(['--sead', '7'])).toThrow();
});
