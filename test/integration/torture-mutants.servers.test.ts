import { expect, test } from 'bun:test';
import { hintsAreLost, tortured, workersCrash } from '../support/tortured.ts';

/** A harness that cannot fail proves nothing: with the program broken on purpose it has to find just that. */

const timeoutMs = 180_000;
/**
 * What is lost never comes, so all of it is waited. What is only late by then is in a queue, and the test wants the queues to be empty:
 * a longer wait would show nothing else.
 */
const shorterMs = 25_000;

test(
  'broken on purpose, it is found out: an acknowledgement before the commit loses, a gap that is not filled is missed, what is read on one device is unknown on the others, reactions are not those of all, and who is in a deleted chat is told of everybody',
  async () => {
    // Both at once: what is broken stays broken on a busy machine, and each run mostly waits.
    const [early, untold] = await Promise.all([
      tortured(
        workersCrash,
        [
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
        ],
        shorterMs,
      ),
      tortured(
        hintsAreLost,
        [
          {
            file: 'src/gateway/sequencer.ts',
            from: "  function fill(chat: LocalChat, cause: GapCause = 'unknown'): void {\n",
            to: "  function fill(_: LocalChat, __?: GapCause): void {}\n  function filled(chat: LocalChat, cause: GapCause = 'unknown'): void {\n",
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
    expect(early).not.toContain('I8 left over');
    expect(early).toContain('I12 other reactions');
    expect(early).toContain('I13 told of others');
    expect(untold).toContain('I5 loss');
    expect(untold).toContain('I11 other count');
    expect(untold).toContain('I11 other membership');
    expect(untold.some((kind) => kind.startsWith('I6 miss'))).toBe(true);
  },
  timeoutMs,
);
