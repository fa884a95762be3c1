import { expect, test } from 'bun:test';
import { isDatabaseUnavailable } from '../../src/db/errors.ts';
import { createPool } from '../../src/db/pool.ts';
import type { Job, Pooled } from '../../src/db/slot.ts';
import { runningMs } from '../support/running-time.ts';

/** A connection on which what was asked ends when the test says so. */
interface Fake extends Pooled {
  closed: boolean;
  /** What was begun on it, in order, and not ended yet. */
  readonly begun: { name: string; end: () => void }[];
}

function fakeConnection(): Fake {
  const connection: Fake = {
    closed: false,
    begun: [],
    retiresAt: Number.POSITIVE_INFINITY,
    onClose: () => {},
    destroy() {
      if (connection.closed) return;
      connection.closed = true;
      connection.onClose();
    },
    end: async () => connection.destroy(),
  };
  return connection;
}

/** A pool, and its attempts to connect, which succeed or fail as the test says. */
function fakePool(most: number) {
  const attempts: PromiseWithResolvers<Fake>[] = [];
  const pool = createPool<Fake>({
    open() {
      const attempt = Promise.withResolvers<Fake>();
      attempts.push(attempt);
      return attempt.promise;
    },
    most,
    patienceMs: 5_000,
  });
  const ask = (name: string, { shares = false }: Partial<Pick<Job<Fake>, 'shares'>> = {}) =>
    new Promise<unknown>((resolve, reject) => {
      const begin = ({ begun }: Fake) =>
        new Promise<void>((end) => {
          begun.push({
            name,
            end() {
              begun.splice(
                begun.findIndex((one) => one.name === name),
                1,
              );
              end();
            },
          });
        });
      pool.run({ shares, begin, resolve, reject });
    });
  async function connected(): Promise<Fake> {
    const connection = fakeConnection();
    attempts.shift()?.resolve(connection);
    await Bun.sleep(0);
    return connection;
  }
  return { pool, ask, attempts, connected };
}

const outcome = (answer: Promise<unknown>) =>
  answer.then(
    () => 'answered',
    (error: unknown) => error,
  );

test('closing waits no longer than for the end of the last connection, however it ends', async () => {
  const { pool, ask, connected } = fakePool(1);
  const answer = outcome(ask('one'));
  const connection = await connected();
  const began = runningMs();
  const closing = pool.close();
  connection.destroy();
  await closing;
  expect(runningMs() - began).toBeLessThan(1_500);
  expect(isDatabaseUnavailable(await answer)).toBe(true);
});

test('an attempt to connect that fails is nobody’s business while another is under way', async () => {
  const { pool, ask, attempts, connected } = fakePool(2);
  const answers = ['one', 'two', 'three'].map((name) => outcome(ask(name)));
  expect(attempts).toHaveLength(2);
  attempts.shift()?.reject(Object.assign(new Error('too many connections'), { code: '53300' }));
  await Bun.sleep(0);
  const connection = await connected();
  for (const name of ['one', 'two', 'three']) {
    expect(connection.begun.map((each) => each.name)).toEqual([name]);
    connection.begun[0]?.end();
    await Bun.sleep(0);
  }
  expect(await Promise.all(answers)).toEqual(['answered', 'answered', 'answered']);
  await pool.close();
});

test('whatever keeps a connection from being opened, it is not what was asked that is at fault', async () => {
  const { pool, ask, attempts } = fakePool(1);
  for (const code of ['ERR_BORINGSSL', '22023', 'XX000', undefined]) {
    const answer = outcome(ask('one'));
    while (attempts.length === 0) await Bun.sleep(10);
    attempts.shift()?.reject(Object.assign(new Error('no connection'), { code }));
    expect(isDatabaseUnavailable(await answer)).toBe(true);
  }
  await pool.close();
});

test('what cannot share a connection is not passed by what can', async () => {
  const { pool, ask, connected } = fakePool(1);
  const pages = ['page 1', 'page 2'].map((name) => outcome(ask(name, { shares: true })));
  const connection = await connected();
  const names = () => connection.begun.map(({ name }) => name);
  expect(names()).toEqual(['page 1', 'page 2']);
  const others = [
    outcome(ask('transaction')),
    ...['page 3', 'page 4'].map((name) => outcome(ask(name, { shares: true }))),
  ];
  for (const expected of [['page 2'], ['transaction'], ['page 3', 'page 4'], ['page 4'], []]) {
    connection.begun[0]?.end();
    await Bun.sleep(0);
    expect(names()).toEqual(expected);
  }
  await Promise.all([...pages, ...others]);
  await pool.close();
});
