import { join } from 'node:path';
import { startServers } from '../../harness/servers.ts';
import { createGuard } from '../../src/commands/servers/guard.ts';
import { stopTrio } from '../../src/commands/servers/launcher.ts';
import { judge } from '../../torture/judge.ts';
import { copyProgram } from '../../torture/program.ts';
import { runTorture } from '../../torture/run.ts';
import type { Wave } from '../../torture/schedule.ts';

const repository = join(import.meta.dir, '../..');

export interface Mutation {
  file: string;
  from: string;
  to: string;
}

/** Runs a copy of the program, changed, through a short torture; gives the kinds of violation found. */
export async function tortured(
  waves: readonly Wave[],
  mutations: readonly Mutation[],
  settleDeadlineMs = 40_000,
): Promise<string[]> {
  const guard = createGuard();
  try {
    const folder = await guard.temporaryFolder('confab-mutant-');
    const root = await copyProgram(repository, folder);
    for (const { file, from, to } of mutations) {
      const path = join(root, file);
      const text = await Bun.file(path).text();
      if (text.split(from).length !== 2) throw new Error(`${file} does not hold this once: ${from}`);
      await Bun.write(path, text.replace(from, to));
    }
    const servers = await startServers({ guard, folder, print: console.log, durable: false });
    try {
      const { history } = await runTorture({
        ...{ guard, folder, root, servers, waves },
        seed: 5,
        minutes: 0.25,
        users: 40,
        chats: 24,
        messagesASecond: 100,
        // Nobody drops by themselves: this is about what happens on connections that stand.
        restless: false,
        settleDeadlineMs,
        print: () => {},
      });
      return judge(history).flatMap(({ invariant, kinds, first }) => {
        // Where nothing was changed on purpose, whoever reads this wants to know.
        if (first && mutations.length === 0) console.log(`${invariant}: ${first.what}`);
        return Object.keys(kinds).map((kind) => `${invariant} ${kind}`);
      });
    } finally {
      await stopTrio(servers);
    }
  } finally {
    await guard.close();
  }
}

export const workersCrash: Wave[] = [
  {
    atMs: 1_000,
    faults: [
      // So that a batch is in hand when its worker dies, and cannot have reached the database.
      { kind: 'kill', process: 'postgres', durationMs: 4_000 },
      { kind: 'crash-loop', which: 'both', crashes: 1, everyMs: 2_000, durationMs: 0 },
    ],
  },
];
export const hintsAreLost: Wave[] = [
  {
    atMs: 1_000,
    faults: [{ kind: 'cut', link: 'gateway-redis', which: 'both', durationMs: 3_000 }],
  },
];
