/** The same result, or promise, at every call; the work begins at the first, and anew after a promise that was rejected. */
export function once<Result extends object>(work: () => Result): () => Result {
  let result: Result | undefined;
  return () => {
    if (!result) {
      result = work();
      if (result instanceof Promise) {
        result.catch(() => {
          result = undefined;
        });
      }
    }
    return result;
  };
}
