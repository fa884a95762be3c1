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
 * @param weightOf what an answer is expected to cost; a batch has no more than `mostWeight` of it, if it has two keys
 */
export function createBatcher<Key, Value>(options: {
  load: (keys: Key[]) => Promise<Value[]>;
  keyOf: (key: Key) => string;
  mostKeys: number;
  weightOf?: (key: Key) => number;
  mostWeight?: number;
}): (key: Key) => Promise<Value> {
  const { load, keyOf, mostKeys, weightOf = () => 0, mostWeight = 0 } = options;
  const waiting = new Map<string, Waiting<Key, Value>>();
  let loads = 0;
  let scheduled = false;

  function schedule(): void {
    if (scheduled || waiting.size === 0 || loads >= concurrentLoads) return;
    scheduled = true;
    setImmediate(run);
  }

  /** The oldest questions that fit into one batch, and at least one. */
  function takeBatch(): [string, Waiting<Key, Value>][] {
    const batch: [string, Waiting<Key, Value>][] = [];
    let weight = 0;
    for (const entry of waiting) {
      weight += weightOf(entry[1].key);
      if (batch.length > 0 && (batch.length >= mostKeys || weight > mostWeight)) break;
      batch.push(entry);
    }
    for (const [text] of batch) waiting.delete(text);
    return batch;
  }

  async function run(): Promise<void> {
    scheduled = false;
    const batch = takeBatch();
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
