import { afterAll, expect, test } from 'bun:test';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKillable, NotReadyError } from '../../torture/embedded-kills.ts';
import type { OwnProcess } from '../../torture/own-process.ts';

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((each) => rm(each, { recursive: true, force: true }))));

/** A process that is ready when it is told to be, and never once it is killed. */
async function fake() {
  const dataDir = await mkdtemp(join(tmpdir(), 'confab-kills-'));
  folders.push(dataDir);
  let started = Promise.withResolvers<boolean>();
  let pid: number | undefined;
  const standalone: OwnProcess = {
    name: 'confab',
    port: 0,
    pid: () => pid,
    start() {
      pid = 1;
      started = Promise.withResolvers();
      return started.promise;
    },
    async kill() {
      pid = undefined;
      started.resolve(false);
    },
    freeze() {},
    thaw() {},
    stop: async () => true,
    unwantedExits: () => [{ name: 'confab', at: 0, code: 1, log: 'The data is damaged' }],
    logFiles: () => [],
  };
  return {
    killable: createKillable(standalone, dataDir),
    end: (ready: boolean) => started.resolve(ready),
    complete: () => mkdir(join(dataDir, 'database')),
  };
}

test('a start that does not come to its end is an error with what the process said', async () => {
  const { killable, end } = await fake();
  const start = killable.start();
  end(false);
  const error = await start.catch((thrown) => thrown);
  expect(error).toBeInstanceOf(NotReadyError);
  expect(error.message).toContain('The data is damaged');
  expect(killable.starts).toEqual([]);
});

test('a first boot is killed at its moment, or when its folder is complete; others when they are ready', async () => {
  const { killable, end, complete } = await fake();
  await killable.killWhileStarting(1);
  expect(killable.completedMs()).toBeUndefined();
  const second = killable.killWhileStarting(60_000);
  await complete();
  await second;
  expect(killable.completedMs()).toBeGreaterThan(0);
  const third = killable.killWhileStarting(60_000);
  end(true);
  await third;
  const last = killable.start();
  end(true);
  await last;
  expect(killable.up()).toBe(true);
  expect(killable.kills.map(({ during, complete }) => [during, complete])).toEqual([
    ['first boot', false],
    ['first boot', true],
    ['boot', true],
  ]);
  expect(killable.starts.map(({ first }) => first)).toEqual([false]);
});
