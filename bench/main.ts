/**
 * `bun run bench [name…] [--json file] [--quick]`: measures Confab's paths against bare floors and against peers, in
 * alternation, on private servers. Ends with 1 when a demand is missed. The method is in docs/benchmarks.md.
 */
import { parseArgs } from 'node:util';
import type { BenchPath } from './harness/bench.ts';
import { machine } from './harness/machine.ts';
import { createReport, createResults, short, textTable } from './harness/report.ts';
import { startBenchServers } from './harness/servers.ts';
import { paths } from './paths.ts';

const { values: options, positionals } = argumentsOrEnd();
const unknown = positionals.filter((name) => !paths.some((path) => path.name === name));
if (unknown.length > 0) endWith(`No such path: ${unknown.join(', ')}.`, usage());
if (process.platform !== 'linux')
  endWith("The bench asks the kernel for other processes' processor time: it runs on Linux alone.");
const chosen = positionals.length === 0 ? paths : paths.filter(({ name }) => positionals.includes(name));

const results = createResults();
const startedAt = performance.now();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The guard's watchdog takes down what runs.
    process.exit(130);
  });
}

console.log(`${await machine()}\n`);
const servers = await startBenchServers(console.log);
for (const path of chosen) await measure(path);
await servers.close();

console.log(`\n${summary()}\n`);
console.log(`${Math.round((performance.now() - startedAt) / 1000)} s`);
if (options.json) {
  await Bun.write(options.json, `${JSON.stringify({ machine: await machine(), ...results }, null, 2)}\n`);
}
process.exit(results.failures.length > 0 || results.demands.some(({ met }) => !met) ? 1 : 0);

async function measure(path: BenchPath): Promise<void> {
  const undos: (() => unknown)[] = [];
  const { quick = false } = options;
  const began = performance.now();
  console.log(`\n${path.name}: ${path.title}`);
  try {
    await path.run({
      report: createReport(results, path.name),
      servers,
      quick,
      rounds: quick ? 2 : 5,
      seconds: (full) => (quick ? full / 3 : full),
      defer: (undo) => undos.push(undo),
    });
  } catch (error) {
    results.failures.push({ path: path.name, error: String(error) });
    console.error(error);
  }
  for (const undo of undos.toReversed()) {
    try {
      await undo();
    } catch (error) {
      console.error(`closing after ${path.name}:`, error);
    }
  }
  console.log(`  (${Math.round((performance.now() - began) / 1000)} s)`);
}

function argumentsOrEnd() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
    });
  } catch (error) {
    return endWith(error instanceof Error ? error.message : String(error), usage());
  }
}

function usage(): string {
  return `bun run bench [name…] [--json file] [--quick]\n  ${paths.map(({ name, title }) => `${name}: ${title}`).join('\n  ')}`;
}

function endWith(...lines: string[]): never {
  console.error(lines.join('\n'));
  process.exit(2);
}

function summary(): string {
  const rows = results.demands.map(({ path, what, wanted, measured, met }) => [
    `${met ? '✓' : '✗'} ${path}`,
    what,
    short(measured),
    wanted,
  ]);
  for (const { path, error } of results.failures) rows.push([`✗ ${path}`, error.slice(0, 80), '', '']);
  return textTable(['path', 'demand', 'measured', 'wanted'], rows);
}
