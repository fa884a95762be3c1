import { existsSync } from 'node:fs';
import { chmod, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Guard } from './guard.ts';

const policyFile = '/usr/sbin/policy-rc.d';

/**
 * Installs Debian packages as root. Package scripts would start each server on its default port: as long as this
 * runs, Debian's own switch (`policy-rc.d` answering 101) tells them not to. Throws with apt-get's output.
 */
export async function aptInstall(options: {
  guard: Guard;
  folder: string;
  packages: string[];
}): Promise<void> {
  const { guard, folder, packages } = options;
  const putBack = await forbidServiceStarts(guard);
  try {
    await apt(guard, folder, ['update']);
    await apt(guard, folder, ['install', '-y', '--no-install-recommends', ...packages]);
  } finally {
    await putBack();
  }
}

async function apt(guard: Guard, folder: string, args: string[]): Promise<void> {
  const logFile = join(folder, `apt-${args[0]}.log`);
  const run = guard.spawn({
    command: ['apt-get', ...args],
    cwd: '/',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    logFile,
    // It minds SIGTERM, and leaves dpkg's database in order.
    lastSignal: 'SIGTERM',
  });
  const code = await run.exited;
  if (code !== 0)
    throw new Error(`apt-get ${args.join(' ')} ended with code ${code}:\n${await Bun.file(logFile).text()}`);
}

async function forbidServiceStarts(guard: Guard): Promise<() => Promise<void>> {
  const saved = `${policyFile}.confab-saved`;
  const hadOne = existsSync(policyFile);
  const alive = hadOne
    ? guard.undoOnDeath('policy-rc.d', ['mv', '-f', saved, policyFile])
    : guard.undoOnDeath('policy-rc.d', ['rm', '-f', policyFile]);
  if (hadOne) await rename(policyFile, saved);
  await writeFile(policyFile, '#!/bin/sh\nexit 101\n');
  await chmod(policyFile, 0o755);
  return async () => {
    if (hadOne) await rename(saved, policyFile);
    else await rm(policyFile, { force: true });
    alive();
  };
}
