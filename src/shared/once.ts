/** The same result, or promise, at every call; the work begins at the first. */
export function once<Result extends object>(work: () => Result): () => Result {
  let result: Result | undefined;
  return () => {
    result ??= work();
    return result;
  };
}
