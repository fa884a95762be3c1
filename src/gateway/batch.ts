interface Waiting<Key, Value> {
  key: Key;
  answer: PromiseWithResolvers<Value>;
}

/** Batches under way at once: one that hangs does not hold up the next. */
const concurrentLoads = 2;

/**
 * Makes many questions of one tick, or of the time an earlier batch takes, into one: a storm of connects becomes a few
 * queries. Every answer was read after its question.
 * @param load answers in the order of the keys
 * @param keyOf equal texts are asked once
 */
export function createBatcher<Key, Value>(options: {
  load: (keys: Key[]) => Promise<Value[]>;
  keyOf: (key: Key) => string;
  mostKeys: number;
}): (key: Key) => Promise<Value> {
  const { load, keyOf, mostKeys } = options;
  let waiting = new Map<string, Waiting<Key, Value>>();
  let loads = 0;
  let scheduled = false;

  function schedule(): void {
    if (scheduled || waiting.size === 0 || loads >= concurrentLoads) return;
    scheduled = true;
    setImmediate(run);
  }

  async function run(): Promise<void> {
    scheduled = false;
    const batch = [...waiting].slice(0, mostKeys);
    waiting = new Map([...waiting].slice(mostKeys));
    loads += 1;
    schedule();
    try {
      const values = await load(batch.map(([, { key }]) => key));
      batch.forEach(([, { answer }], at) => {
        // The caller's type says whether an answer may be undefined.
        answer.resolve(values[at] as Value);
      });
    } catch (error) {
      for (const [, { answer }] of batch) answer.reject(error);
    } finally {
      loads -= 1;
      schedule();
    }
  }

  return (key) => {
    const text = keyOf(key);
    let one = waiting.get(text);
    if (!one) {
      one = { key, answer: Promise.withResolvers<Value>() };
      waiting.set(text, one);
      schedule();
    }
    return one.answer.promise;
  };
}
