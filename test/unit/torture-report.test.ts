import { expect, test } from 'bun:test';
import { makeReport } from '../../torture/report.ts';
import type { TortureResult } from '../../torture/run.ts';
import type { Invariant, Verdict } from '../../torture/verdict.ts';

const good: TortureResult = {
  history: {
    posts: [],
    clients: [],
    changes: [],
    memberships: [],
    poison: [],
    replayed: [],
    database: { chats: [], messages: [], changes: [], reactions: [], participants: [] },
    deadLetters: [],
    queues: [],
    processes: [],
    presence: [],
    brokerSilent: [],
    faults: [],
  },
  figures: { sockets: 1, chats: 1, offered: 1, heldBack: 0, loadSeconds: 1 },
  loadEndedAt: 0,
  filled: { gaps: 0, rows: 0 },
  wavesLeft: 0,
  unwantedExits: [],
  settledAfter: 1,
};
const invariants: Invariant[] = [
  'I1',
  'I2',
  'I3',
  'I4',
  'I5',
  'I6',
  'I7',
  'I8',
  'I9',
  'I10',
  'I11',
  'I12',
  'I13',
];
const verdict = (invariant: Invariant): Verdict => ({
  invariant,
  promise: '',
  checked: 1,
  violations: 0,
  kinds: {},
});

function passes(change: Partial<TortureResult>, changed?: Partial<Verdict>): boolean {
  const verdicts = invariants.map(verdict).map((each) => {
    return each.invariant === changed?.invariant ? { ...each, ...changed } : each;
  });
  const result = { ...good, ...change };
  return makeReport({ seed: 1, minutes: 1, result, verdicts, recoveries: [] }).passed;
}

const exit = (log: string) => ({ name: 'api 1', at: 0, code: 1, log });

test('a run passes that did everything and held everything', () => {
  expect(passes({})).toBe(true);
  expect(passes({ unwantedExits: [exit('api does not start: no answer from RabbitMQ')] })).toBe(true);
});

test('a run fails that did not settle, left waves out, or crashed', () => {
  expect(passes({ settledAfter: undefined })).toBe(false);
  expect(passes({ wavesLeft: 1 })).toBe(false);
  expect(passes({ unwantedExits: [exit('')] })).toBe(false);
});

test('a violation fails a run, and so does a promise that nothing was held against, where every run has something', () => {
  for (const invariant of invariants) {
    expect([invariant, passes({}, { invariant, violations: 1 })]).toEqual([invariant, false]);
    const unheard = ['I9', 'I10', 'I13'].includes(invariant);
    expect([invariant, passes({}, { invariant, checked: 0 })]).toEqual([invariant, unheard]);
  }
});
