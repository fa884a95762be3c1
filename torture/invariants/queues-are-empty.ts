import type { Evidence } from '../evidence.ts';
import type { DeadLetterRow } from '../rows.ts';
import { createTally, type Verdict } from '../verdict.ts';

/** I8 */
export function queuesAreEmpty(evidence: Evidence): Verdict {
  const { history, about } = evidence;
  const tally = createTally(
    'I8',
    'the queues are empty, the dead letters just the poison and the stated refusals',
  );
  for (const { name, messages } of history.queues) {
    tally.check();
    if (messages === 0) continue;
    tally.violate(
      'left over',
      () => `${messages} messages are left in ${name}`,
      () => history.queues,
    );
  }

  const poison = new Set(history.poison.map(({ body }) => body));
  const refusals = new Map(
    [...evidence.deadLettersByKey].flatMap(([key, rows]) => rows.map((row) => [row, key])),
  );
  for (const letter of history.deadLetters) {
    tally.check();
    const key = refusals.get(letter);
    const kind = wrong(evidence, letter, poison, key);
    if (!kind) continue;
    tally.violate(
      kind,
      () => `dead letter ${letter.id} (“${letter.reason}”): ${kind}`,
      () => (key === undefined ? [letter] : about(key)),
    );
  }

  const found = new Set(history.deadLetters.map(({ body }) => body));
  for (const put of history.poison) {
    tally.check();
    if (found.has(put.body)) continue;
    tally.violate(
      'poison lost',
      () => `poison ${put.id} is not among the dead letters`,
      () => [put],
    );
  }
  return tally.verdict();
}

function wrong(
  { history, postsByKey }: Evidence,
  letter: DeadLetterRow,
  poison: ReadonlySet<string>,
  key: string | undefined,
): string | undefined {
  if (letter.reason.trim() === '') return 'no reason';
  if (poison.has(letter.body)) return undefined;
  const posts = key === undefined ? undefined : postsByKey.get(key);
  if (!posts) return 'nobody sent it';
  if (/participant/i.test(letter.reason)) {
    return key !== undefined && wasOut(history, key, posts.firstBegunAt)
      ? undefined
      : 'its sender took part all the time';
  }
  if (letter.reason === 'not_allowed') {
    return history.database.chats.some(
      ({ id, settingsNumber, deleted }) => (settingsNumber !== null || deleted) && id === posts.chatId,
    )
      ? undefined
      : 'its chat was open to all, all the time';
  }
  if (/conflict/i.test(letter.reason)) {
    return posts.contents.length > 1 ? undefined : 'its key was used once only';
  }
  return 'an innocent';
}

/** Whether the key's sender was no participant of its chat at some time since. */
function wasOut({ memberships, database }: Evidence['history'], key: string, since: number): boolean {
  const ofSender = (each: { chatId: string; userId: string }) =>
    key.startsWith(`${each.chatId} ${each.userId} `);
  const timeline = memberships.filter(ofSender).sort((a, b) => a.number - b.number);
  const [first] = timeline;
  if (!first) return !database.participants.some((row) => ofSender(row) && row.active);
  if (first.change === 'added' && first.endedAt >= since) return true;
  return timeline.some(
    (change, at) => change.change === 'removed' && (timeline[at + 1]?.endedAt ?? since) >= since,
  );
}
