import { describe, expect, spyOn, test } from 'bun:test';
import { alternate, valuesOf } from '../../bench/harness/alternate.ts';
import { statementOf, withValues } from '../../bench/harness/pgbench.ts';
import { createReport, createResults, short, textTable } from '../../bench/harness/report.ts';
import { percentile, ratiosOf, spreadOf } from '../../bench/harness/statistics.ts';
import { runTicks } from '../../bench/harness/ticks.ts';
import { paths } from '../../bench/paths.ts';
import { cpuMicroseconds, residentBytes, treeCpuMicroseconds } from '../../harness/usage.ts';
import { readHistory } from '../../src/db/queries/history.ts';
import { readText } from '../support/repository.ts';

describe('statistics of the bench', () => {
  test('a percentile lies between the two nearest ranks', () => {
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(percentile([1, 2, 3, 4], 1)).toBe(4);
    expect(percentile([7], 0.99)).toBe(7);
  });

  test('a spread does not change the order of its values, and there is none of nothing', () => {
    const values = [3, 1, 2];
    expect(spreadOf(values)).toEqual({ median: 2, min: 1, max: 3 });
    expect(values).toEqual([3, 1, 2]);
    expect(() => spreadOf([])).toThrow(RangeError);
  });

  test('ratios are of the same round', () => {
    expect(ratiosOf([10, 30], [5, 10])).toEqual([2, 3]);
  });
});

describe('alternation', () => {
  test('turns round in every second round, and peers may run in fewer', async () => {
    const order: string[] = [];
    const contender = (name: string, rounds?: number) => ({
      name,
      run: async () => ({ at: order.push(name) }),
      ...(rounds === undefined ? {} : { rounds }),
    });
    const samples = await alternate(
      [contender('floor'), contender('product'), contender('peer', 1)],
      2,
      () => {},
    );
    expect(order).toEqual(['floor', 'product', 'peer', 'product', 'floor']);
    expect(valuesOf(samples, 'floor', 'at')).toEqual([1, 5]);
    expect(valuesOf(samples, 'peer', 'at')).toEqual([3]);
    expect(() => valuesOf(samples, 'floor', 'other')).toThrow('no other');
  });

  test('ticks have a turn of the event loop each, and all of them come', async () => {
    let turn = 0;
    let counting = true;
    const count = () => {
      turn += 1;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    const turns: number[] = [];
    await runTicks({ count: 20, aSecond: 100_000 }, () => turns.push(turn));
    counting = false;
    expect(turns).toHaveLength(20);
    expect(new Set(turns).size).toBe(20);
  });
});

describe('the report', () => {
  test('a demand is met at its limit, and never by what is no number', () => {
    const print = spyOn(console, 'log').mockImplementation(() => {});
    const results = createResults();
    const report = createReport(results, 'path');
    report.atMost('a', 1.15, 1.15);
    report.atMost('b', 1.16, 1.15);
    report.atLeast('c', 0.75, 0.75);
    report.atLeast('d', Number.NaN, 0.75);
    report.atMost('e', Number.NaN, 1);
    print.mockRestore();
    expect(results.demands.map(({ what, met }) => [what, met])).toEqual([
      ['a', true],
      ['b', false],
      ['c', true],
      ['d', false],
      ['e', false],
    ]);
  });

  test('numbers keep three digits, tables their columns', () => {
    expect([1234.5, 123.4, 12.34, 1.234].map(short)).toEqual(['1,235', '123', '12.3', '1.23']);
    expect(textTable(['', 'µs'], [['floor', '1.0']])).toBe('          µs\n  -----  ---\n  floor  1.0');
  });
});

test('a statement for pgbench is the very one of the product, with no colon that pgbench would take for a variable', async () => {
  const statement = await statementOf((database) => readHistory(database, '', '', { before: 1 }, 50));
  expect(statement).toContain('FROM messages m WHERE m.chat_id = $1::uuid');
  expect(statement).not.toMatch(/(?<!:):[A-Za-z_]/);
});

test('each value has its own place in a statement, and what has none stays', () => {
  const places = Array.from({ length: 11 }, (_, at) => `$${at + 1}`).join(' ');
  expect(withValues(`${places} $12`, 'abcdefghijk'.split(''))).toBe('a b c d e f g h i j k $12;\n');
});

test('each path has a name of its own, and a row that says what it measures', async () => {
  const rows = [...(await readText('docs/benchmarks.md')).matchAll(/^\| `([a-z-]+)` \|/gm)].map(
    ([, name]) => name,
  );
  expect(rows.toSorted()).toEqual(paths.map(({ name }) => name).toSorted());
});

test('processor time is that of all threads, to much less than a tick of the kernel', () => {
  if (process.platform !== 'linux') {
    // The bench refuses to run there.
    expect(() => cpuMicroseconds(process.pid)).toThrow();
    return;
  }
  const [before, treeBefore, own] = [
    cpuMicroseconds(process.pid),
    treeCpuMicroseconds(process.pid),
    process.cpuUsage(),
  ];
  while (process.cpuUsage(own).user < 60_000);
  const used = process.cpuUsage(own);
  const measured = cpuMicroseconds(process.pid) - before;
  expect(measured / (used.user + used.system)).toBeWithin(0.7, 1.3);
  expect(treeCpuMicroseconds(process.pid) - treeBefore).toBeGreaterThan(measured * 0.9);
  expect(residentBytes(process.pid)).toBeGreaterThan(10 * 2 ** 20);
});
