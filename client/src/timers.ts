/** One timer for each key: another one takes its place. */
export function createTimers() {
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  return {
    set(task: () => void, ms: number, key = ''): void {
      clearTimeout(timers.get(key));
      const end = () => {
        timers.delete(key);
        task();
      };
      timers.set(key, setTimeout(end, ms));
    },
    clear(key = ''): void {
      clearTimeout(timers.get(key));
      timers.delete(key);
    },
    /** Of those that run, in the order in which they were set first. */
    keys: () => [...timers.keys()],
  };
}
