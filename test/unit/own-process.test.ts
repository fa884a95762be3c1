import { afterAll, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { createOwnProcess } from '../../harness/process.ts';
import { createGuard } from '../../src/commands/servers/guard.ts';
import { freePort } from '../../src/commands/servers/ports.ts';

const guard = createGuard();
afterAll(() => guard.close());

const deadlineMs = 300;

/** How long each of these was waited for, that never answers. */
async function waitedFor(commands: string[][]): Promise<number[]> {
  const folder = await guard.temporaryFolder('confab-own-process-');
  const all = await Promise.all(
    commands.map(async (command, at) => {
      const port = await freePort();
      return createOwnProcess({
        guard,
        port,
        folder,
        command,
        name: `one ${at}`,
        cwd: folder,
        env: {},
        pollMs: 5,
      });
    }),
  );
  const times = await Promise.all(
    all.map(async (own) => {
      const began = performance.now();
      expect(await own.start(deadlineMs)).toBe(false);
      return performance.now() - began;
    }),
  );
  await Promise.all(all.map((own) => own.kill()));
  return times;
}

test('who does nothing is waited for until the deadline, who waits for a processor so much longer', async () => {
  const [idle = 0] = await waitedFor([['sleep', '60']]);
  expect(idle).toBeGreaterThanOrEqual(deadlineMs);
  // Linux says it.
  if (!existsSync('/proc/self/schedstat')) return;
  const busy = ['taskset', '-c', '0', 'sh', '-c', 'while :; do :; done'];
  // Two on one processor: each has half of it, at most.
  for (const ms of await waitedFor([busy, busy])) expect(ms).toBeGreaterThan(1.5 * deadlineMs);
}, 30_000);
