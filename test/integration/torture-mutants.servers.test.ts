import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { startServers } from '../../harness/servers.ts';
import { createGuard } from '../../src/commands/servers/guard.ts';
import { stopTrio } from '../../src/commands/servers/launcher.ts';
import { judge } from '../../torture/judge.ts';
import { copyProgram } from '../../torture/program.ts';
import { runTorture } from '../../torture/run.ts';
import type { Wave } from '../../torture/schedule.ts';

/** A harness that cannot fail proves nothing: with the program broken on purpose it has to find just that. */

const repository = join(import.meta.dir, '../..');
const timeoutMs = 180_000;

interface Mutation {
  file: string;
  from: string;
  to: string;
}

/** Runs a copy of the program, changed, through a short torture; gives the kinds of violation found. */
async function tortured(
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

const workersCrash: Wave[] = [
  {
    atMs: 1_000,
    faults: [
      // So that a batch is in hand when its worker dies, and cannot have reached the database.
      { kind: 'kill', process: 'postgres', durationMs: 4_000 },
      { kind: 'crash-loop', which: 'both', crashes: 1, everyMs: 2_000, durationMs: 0 },
    ],
  },
];
const hintsAreLost: Wave[] = [
  {
    atMs: 1_000,
    faults: [{ kind: 'cut', link: 'gateway-redis', which: 'both', durationMs: 3_000 }],
  },
];

test(
  'broken on purpose, it is found out: an acknowledgement before the commit loses, a gap that is not filled is missed, what is read on one device is unknown on the others, reactions are not those of all, and who is in a deleted chat is told of everybody',
  async () => {
    // Both at once: what is broken stays broken on a busy machine, and each run mostly waits.
    const [early, untold] = await Promise.all([
      tortured(workersCrash, [
        {
          file: 'src/adapters/rabbitmq/partitions.ts',
          from: "        if (last) acknowledgements.done(last, batch.length, verdict === 'done' ? 'leisure' : 'once');\n",
          to: '',
        },
        {
          file: 'src/chat/gather-reactions.ts',
          from: 'const row = { messageId: first.write.messageId, sequence, reactions: shown,',
          to: 'const row = { messageId: first.write.messageId, sequence, reactions: shown.slice(1),',
        },
        {
          file: 'src/changes/participant.ts',
          from: '...(changed[0].ended ?',
          to: '...(changed[0].ended && false ?',
        },
        {
          file: 'src/adapters/rabbitmq/partitions.ts',
          from: '        const verdict = await handle(',
          to: "        if (last) acknowledgements.done(last, batch.length, 'once');\n        const verdict = await handle(",
        },
      ]),
      tortured(
        hintsAreLost,
        [
          {
            file: 'src/gateway/sequencer.ts',
            from: '  function fill(chat: LocalChat): void {\n',
            to: '  function fill(_: LocalChat): void {}\n  function filled(chat: LocalChat): void {\n',
          },
          {
            file: 'src/gateway/own-memberships.ts',
            from: '      for (const member of user) if (member.live) member.send(frame);\n',
            to: '      void frame;\n',
          },
        ],
        5_000,
      ),
    ]);
    expect(early).toContain('I1 lost');
    expect(early).toContain('I12 other reactions');
    expect(early).toContain('I13 told of others');
    expect(untold).toContain('I5 loss');
    expect(untold).toContain('I11 other count');
    expect(untold).toContain('I11 other membership');
    expect(untold.some((kind) => kind.startsWith('I6 miss'))).toBe(true);
  },
  timeoutMs,
);

test(
  'as it is, the same faults break nothing',
  async () => {
    expect(await tortured([...workersCrash, { ...hintsAreLost[0]!, atMs: 13_000 }], [])).toEqual([]);
  },
  timeoutMs,
);
