import { existsSync } from 'node:fs';
import { aptInstall } from './apt.ts';
import { type Binaries, findBinaries, type ServerName } from './binaries.ts';
import { dockerAnswers } from './docker.ts';
import type { Guard } from './guard.ts';
import { decideResort, type MachineFacts } from './resort.ts';

interface Options {
  guard: Guard;
  /** For the log of an installation. */
  folder: string;
  needed: ServerName[];
  print: (line: string) => void;
  /** What the reader can do without servers, told when there is no way to them. */
  otherwise?: string;
}

/**
 * The machine's binaries, after installing what is missing where that is the way. What is undefined in the answer is
 * to be started in a container. Throws, with what to do, when there is no way.
 */
export async function obtainBinaries({
  guard,
  folder,
  needed,
  print,
  otherwise,
}: Options): Promise<Binaries> {
  const binaries = findBinaries();
  const missing = needed.filter((name) => binaries[name] === undefined);
  const facts: MachineFacts = {
    missing,
    platform: process.platform,
    dockerAnswers: missing.length > 0 && (await dockerAnswers()),
    hasApt: Bun.which('apt-get') !== null && existsSync('/etc/debian_version'),
    isRoot: process.getuid?.() === 0,
  };
  const resort = decideResort(facts, otherwise);
  if (resort.kind === 'binaries') return binaries;
  if (resort.kind === 'stop') throw new Error(resort.message);
  print(resort.message);
  if (resort.kind === 'docker') return binaries;
  await aptInstall({ guard, folder, packages: resort.packages });
  const installed = findBinaries();
  const still = needed.filter((name) => installed[name] === undefined);
  if (still.length > 0)
    throw new Error(`apt-get installed ${resort.packages.join(' ')}, but not found: ${still}`);
  return installed;
}
