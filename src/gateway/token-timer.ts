/** The longest delay a timer takes: some 24 days. */
const longestDelayMs = 2 ** 31 - 1;

/** Calls `onEnd` when the token expires. @returns the undo */
export function atTokenEnd(expiresAtSeconds: number, onEnd: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = () => {
    const left = expiresAtSeconds * 1000 - Date.now();
    timer = left > longestDelayMs ? setTimeout(wait, longestDelayMs) : setTimeout(onEnd, Math.max(0, left));
  };
  wait();
  return () => clearTimeout(timer);
}
