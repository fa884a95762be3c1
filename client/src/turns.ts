/** While it is under way, who asks for it waits for the same. */
export function shared<Result>(task: () => Promise<Result>): () => Promise<Result> {
  let running: Promise<Result> | undefined;
  return () => {
    running ??= task().finally(() => {
      running = undefined;
    });
    return running;
  };
}

/** One at a time; who asks meanwhile has it done once more after that. @param task never rejects */
export function repeated(task: () => Promise<void>): () => Promise<void> {
  let [running, again] = [false, false];
  return async () => {
    again = true;
    if (running) return;
    running = true;
    while (again) {
      again = false;
      await task();
    }
    running = false;
  };
}

/** One after the other, whether the one before succeeds or not. @param onBusy told when the first begins and the last has ended */
export function createTurns(onBusy: (is: boolean) => void) {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return <Result>(task: () => Promise<Result>): Promise<Result> => {
    if (waiting++ === 0) onBusy(true);
    const next = last.then(task).finally(() => {
      if (--waiting === 0) onBusy(false);
    });
    last = next.catch(() => {});
    return next;
  };
}
