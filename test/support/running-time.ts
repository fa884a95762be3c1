const tickMs = 10;
const mostAtOnceMs = 100;

let counted = 0;
let last = performance.now();

const sinceLast = () => Math.min(mostAtOnceMs, performance.now() - last);

// Whoever waits keeps the process alive, not the counting.
setInterval(() => {
  counted += sinceLast();
  last = performance.now();
}, tickMs).unref();

/**
 * Milliseconds, for limits that are promised: a clock that a standstill of the whole machine puts forward by a tenth of a second and
 * no more, as it takes that time from those who are looked at, too. How long something lasts at least is measured by `performance.now()`.
 */
export const runningMs = (): number => counted + sinceLast();
