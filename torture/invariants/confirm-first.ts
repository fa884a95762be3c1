import type { Evidence } from '../evidence.ts';
import { keyOf } from '../history.ts';
import { createTally, type Verdict } from '../verdict.ts';

/** I10: while nothing came from the broker, nothing that was sent meanwhile can have been confirmed. */
export function confirmFirst({ history, about }: Evidence): Verdict {
  const tally = createTally('I10', 'no success before the confirm');
  const silences = history.brokerSilent.toSorted((a, b) => a.from - b.from);
  if (silences.length === 0) return tally.verdict();
  for (const post of history.posts) {
    const silence = silences.find(({ from, to }) => post.begunAt >= from && post.begunAt < to);
    if (!silence) continue;
    tally.check();
    if (post.status !== 202 || post.endedAt > silence.to) continue;
    tally.violate(
      'unconfirmed success',
      () => `${keyOf(post)} was answered 202 while the broker could not say a word`,
      () => [silence, ...about(keyOf(post))],
    );
  }
  return tally.verdict();
}
