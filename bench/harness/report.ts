import { spreadOf } from './statistics.ts';

export interface Demand {
  path: string;
  what: string;
  /** As the reader is told it: `≤ 1.15`. */
  wanted: string;
  measured: number;
  met: boolean;
}

interface Table {
  path: string;
  title: string;
  columns: readonly string[];
  rows: readonly (readonly string[])[];
}

export interface Report {
  /** What runs now; replaces the line before it on a terminal. */
  progress(text: string): void;
  table(table: Omit<Table, 'path'>): void;
  note(text: string): void;
  atMost(what: string, measured: number, limit: number): void;
  atLeast(what: string, measured: number, limit: number): void;
  /** All values of one measure; for `--json`. */
  figure(name: string, values: readonly number[]): void;
}

export interface Results {
  demands: Demand[];
  tables: Table[];
  notes: { path: string; text: string }[];
  figures: Record<string, { values: readonly number[]; median: number; min: number; max: number }>;
  failures: { path: string; error: string }[];
}

export function createResults(): Results {
  return { demands: [], tables: [], notes: [], figures: {}, failures: [] };
}

/** Prints as it goes, and keeps everything for the end and for `--json`. */
export function createReport(results: Results, path: string): Report {
  const add = (what: string, measured: number, sign: string, limit: number, met: boolean) => {
    results.demands.push({ path, what, wanted: `${sign} ${limit}`, measured, met });
    clearProgress();
    console.log(`  ${met ? '✓' : '✗'} ${what}: ${short(measured)} (${sign} ${limit})`);
  };
  return {
    progress(text) {
      const line = `  … ${path}: ${text}`;
      if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
      else console.log(line);
    },
    table({ title, columns, rows }) {
      results.tables.push({ path, title, columns, rows });
      clearProgress();
      console.log(`\n${title}\n${textTable(columns, rows)}\n`);
    },
    note(text) {
      results.notes.push({ path, text });
      clearProgress();
      console.log(`  ${text}`);
    },
    // A measure that is no number has not been met.
    atMost: (what, measured, limit) => add(what, measured, '≤', limit, measured <= limit),
    atLeast: (what, measured, limit) => add(what, measured, '≥', limit, measured >= limit),
    figure(name, values) {
      results.figures[`${path}: ${name}`] = { values, ...spreadOf(values) };
    },
  };
}

function clearProgress(): void {
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
}

export function textTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, at) =>
    Math.max(column.length, ...rows.map((row) => (row[at] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ');
  return [line(columns), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)]
    .map((each) => `  ${each.trimEnd()}`)
    .join('\n');
}

/** Three digits that count. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en');
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

/** `median (min … max)`. */
export function spreadText(values: readonly number[]): string {
  if (values.length === 0) return '';
  const { median, min, max } = spreadOf(values);
  return `${short(median)} (${short(min)} … ${short(max)})`;
}
