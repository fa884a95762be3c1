/** Rejects with `onTimeout()` when `work` has not settled after `ms`; the work itself goes on. */
export function withDeadline<Result>(
  work: Promise<Result>,
  ms: number,
  onTimeout: () => Error,
): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const timer = setTimeout(() => reject(onTimeout()), ms);
  work.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}

/** {@link withDeadline} with the same `ms` every time. */
export type Within = <Result>(work: Promise<Result>, onTimeout: () => Error) => Promise<Result>;

interface Waiting {
  dueAt: number;
  expire: () => void;
}

/** For what every request does: one timer watches all that is under way, in the order in which it began. */
export function createDeadline(ms: number): Within {
  const underWay = new Set<Waiting>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  function watch(afterMs: number): void {
    timer = setTimeout(sweep, Math.ceil(afterMs));
    // What is waited for keeps the process alive, not the watching.
    timer.unref();
  }

  function sweep(): void {
    timer = undefined;
    const now = performance.now();
    for (const waiting of underWay) {
      if (waiting.dueAt > now) {
        watch(waiting.dueAt - now);
        return;
      }
      underWay.delete(waiting);
      waiting.expire();
    }
  }

  return <Result>(work: Promise<Result>, onTimeout: () => Error) =>
    new Promise<Result>((resolve, reject) => {
      const waiting = { dueAt: performance.now() + ms, expire: () => reject(onTimeout()) };
      underWay.add(waiting);
      if (!timer) watch(ms);
      work.then(
        (result) => {
          underWay.delete(waiting);
          resolve(result);
        },
        (error) => {
          underWay.delete(waiting);
          reject(error);
        },
      );
    });
}
