const tickMs = 10;
const mostAtOnceMs = 100;

let counted = 0;
let last = performance.now();
let worked = process.cpuUsage();

/** A gap in which this process itself worked is no standstill: it counts for as long as it did. */
function sinceLast(): number {
  const gap = performance.now() - last;
  if (gap <= mostAtOnceMs) return gap;
  const { user, system } = process.cpuUsage(worked);
  return Math.min(gap, Math.max(mostAtOnceMs, (user + system) / 1000));
}

// Whoever waits keeps the process alive, not the counting.
setInterval(() => {
  counted += sinceLast();
  last = performance.now();
  worked = process.cpuUsage();
}, tickMs).unref();

/**
 * Milliseconds, for limits that are promised: a clock that a standstill of the whole machine puts forward by a tenth of a second and
 * no more, as it takes that time from those who are looked at, too. How long something lasts at least is measured by `performance.now()`.
 */
export const runningMs = (): number => counted + sinceLast();
