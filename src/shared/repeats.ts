/** `write` is given how often it happened since the last line of its key, which is `others` of those that share one. */
export type Repeats = (key: string, write: (count: number, key: string) => void) => void;

/** Further ones share one line: a key is made of what others say. */
const mostKeys = 100;

/**
 * For what may happen ten thousand times a second: one line each second, the first at once, with its count.
 * @param everyMs how long a line stands for
 */
export function createRepeats(everyMs = 1_000): Repeats {
  const waiting = new Map<string, { count: number; write: (count: number, key: string) => void }>();

  function wait(key: string): void {
    setTimeout(() => {
      const { count = 0, write } = waiting.get(key) ?? {};
      waiting.delete(key);
      if (count > 0 && write) begin(key, write, count);
    }, everyMs).unref();
  }

  function begin(key: string, write: (count: number, key: string) => void, count: number): void {
    waiting.set(key, { count: 0, write });
    wait(key);
    write(count, key);
  }

  return (given, write) => {
    const key = waiting.has(given) || waiting.size < mostKeys ? given : 'others';
    const known = waiting.get(key);
    if (!known) return begin(key, write, 1);
    known.count += 1;
    known.write = write;
  };
}
