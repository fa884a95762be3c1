import type { Evidence } from '../evidence.ts';
import { createTally, type Verdict } from '../verdict.ts';

/** I1 */
export function acceptedIsKept(evidence: Evidence): Verdict {
  const { postsByKey, rowsByKey, deadLettersByKey, deleted, about } = evidence;
  const tally = createTally('I1', 'every 202 is a row, or dead-lettered for a stated reason');
  for (const { key, chatId, acceptedAt } of postsByKey.values()) {
    if (acceptedAt === undefined || deleted.has(chatId)) continue;
    tally.check();
    if (rowsByKey.has(key)) continue;
    const letters = deadLettersByKey.get(key) ?? [];
    if (letters.length === 0) {
      tally.violate(
        'lost',
        () => `${key} was answered 202 and is neither a row nor a dead letter`,
        () => about(key),
      );
    } else if (letters.every(({ reason }) => reason.trim() === '')) {
      tally.violate(
        'no reason',
        () => `${key} was answered 202 and dead-lettered without a reason`,
        () => about(key),
      );
    }
  }
  return tally.verdict();
}
