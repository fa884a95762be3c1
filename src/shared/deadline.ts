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
