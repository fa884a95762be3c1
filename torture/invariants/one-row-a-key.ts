import { deriveBrokerMessageId } from '../../src/shared/ids.ts';
import type { Evidence } from '../evidence.ts';
import { keyOf } from '../history.ts';
import { createTally, type Verdict } from '../verdict.ts';

/** I3 */
export function oneRowAKey({ history, rowsByKey, about }: Evidence): Verdict {
  const tally = createTally('I3', 'one row and one id for one key');
  for (const [key, rows] of rowsByKey) {
    tally.check();
    const [row] = rows;
    if (rows.length > 1) {
      tally.violate(
        'stored twice',
        () => `${key} has ${rows.length} rows`,
        () => about(key),
      );
    } else if (row && row.id !== idOf(row)) {
      tally.violate(
        'other id',
        () => `the row of ${key} has not its derived id`,
        () => about(key),
      );
    }
  }
  for (const post of history.posts) {
    if (post.status !== 202) continue;
    tally.check();
    if (post.brokerMessageId === idOf(post)) continue;
    tally.violate(
      'other id',
      () => `${keyOf(post)} was answered with another brokerMessageId than its own`,
      () => about(keyOf(post)),
    );
  }
  return tally.verdict();
}

const idOf = (of: { chatId: string; senderId: string; clientMessageId: string }): string =>
  deriveBrokerMessageId(of.chatId, of.senderId, of.clientMessageId);
