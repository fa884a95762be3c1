import { readdirSync, readFileSync } from 'node:fs';

/**
 * Processor time (user and system) of all threads that a process has now, in microseconds. Linux counts it in nanoseconds
 * here; `/proc/<pid>/stat` would say it in steps of ten milliseconds.
 */
export function cpuMicroseconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
      nanoseconds += Number(text.slice(0, text.indexOf(' ')));
    } catch {
      // A thread that has just ended.
    }
  }
  return nanoseconds / 1000;
}

/** Of the process and everything below it: PostgreSQL has a process a connection. Ended children are not in it. */
export function treeCpuMicroseconds(pid: number): number {
  let sum = cpuMicroseconds(pid);
  for (const child of childrenOf(pid)) {
    try {
      sum += treeCpuMicroseconds(child);
    } catch {
      // Ended meanwhile.
    }
  }
  return sum;
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      const text = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8');
      return text.split(' ').flatMap((child) => (child.trim() === '' ? [] : [Number(child)]));
    } catch {
      return [];
    }
  });
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (!line) throw new Error(`process ${pid} has no resident memory`);
  return Number(line[1]) * 1024;
}
