import { dlopen, FFIType, ptr } from 'bun:ffi';
import { readdirSync, readFileSync } from 'node:fs';

/** Loaded at the first use: on other systems the bench refuses to run before it comes to that. */
let libc: ReturnType<typeof openLibc> | undefined;
const openLibc = () =>
  dlopen('libc.so.6', { clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 } });

/**
 * Processor time (user and system) of a process until now, in microseconds, from its own clock (`clock_getcpuclockid(3)`):
 * it counts nanoseconds, and keeps those of threads that have ended. `/proc/<pid>/stat` counts in steps of 10 ms, and the
 * sum over `/proc/<pid>/task` falls whenever a helper thread ends (measured: windows of negative time).
 */
export function cpuMicroseconds(pid: number): number {
  libc ??= openLibc();
  const time = new BigInt64Array(2);
  // MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of the kernel.
  const clock = (~pid << 3) | 2;
  if (libc.symbols.clock_gettime(clock, ptr(time)) !== 0)
    throw new Error(`process ${pid} has no clock: it has ended`);
  return Number(time[0]) * 1e6 + Number(time[1]) / 1e3;
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
