import { clockToleranceMs, type Evidence, type KeyPosts } from '../evidence.ts';
import { keyOf } from '../history.ts';
import type { ChangeRow, MessageRow } from '../rows.ts';
import { createTally, type Tally, type Verdict } from '../verdict.ts';

/** I4 */
export function numbering(evidence: Evidence): Verdict {
  const tally = createTally('I4', 'sequence is 1..n, and a send begun after another’s 202 comes after it');
  const participants = Map.groupBy(evidence.history.database.participants, (row) => row.chatId);
  const changes = Map.groupBy(evidence.history.database.changes, (row) => row.chatId);
  const reactions = Map.groupBy(evidence.history.database.reactions, (row) => row.chatId);
  for (const chat of evidence.history.database.chats) {
    const active = (participants.get(chat.id) ?? []).filter((row) => row.active).length;
    if (active !== chat.participantCount) {
      tally.violate(
        'participants',
        () => `chat ${chat.id} counts ${chat.participantCount} of ${active}`,
        () => participants.get(chat.id) ?? [],
      );
    }
    // Its messages are gone, and all who left at its end have one number.
    if (chat.deleted) continue;
    const rows = (evidence.rowsByChat.get(chat.id) ?? []).toSorted((a, b) => a.sequence - b.sequence);
    tally.check(rows.length);
    withoutGaps(tally, chat.id, chat.lastSequence, rows);
    const changed = changes.get(chat.id) ?? [];
    lastChanges(tally, chat.id, rows, changed);
    const others = [
      ...(participants.get(chat.id) ?? []).map((row) => row.changedNumber),
      ...changed.map(({ number }) => number),
      ...(reactions.get(chat.id) ?? []).map(({ number }) => number),
      ...(chat.settingsNumber === null ? [] : [chat.settingsNumber]),
    ];
    numberedOnce(tally, chat.id, chat.lastNumber, rows, others);
    inOrderOfSending(tally, evidence, rows);
  }
  return tally.verdict();
}

function withoutGaps(tally: Tally, chatId: string, lastSequence: number, rows: readonly MessageRow[]): void {
  rows.forEach((row, at) => {
    const expected = at + 1;
    if (row.sequence === expected || rows[at - 1]?.sequence === row.sequence - 1) return;
    tally.violate(
      row.sequence === rows[at - 1]?.sequence ? 'sequence twice' : 'gap',
      () => `chat ${chatId}: ${expected} was to come, ${row.sequence} came`,
      () => rows.slice(Math.max(0, at - 3), at + 3),
    );
  });
  const last = rows.at(-1)?.sequence ?? 0;
  if (last === lastSequence) return;
  tally.violate(
    'counter',
    () => `chat ${chatId} counts ${lastSequence} messages, its last row is ${last}`,
    () => rows.slice(-3),
  );
}

function numberedOnce(
  tally: Tally,
  chatId: string,
  lastNumber: number,
  rows: readonly MessageRow[],
  others: readonly number[],
): void {
  const taken = new Set(others);
  const violate = (kind: string, what: string, at: number) =>
    tally.violate(
      kind,
      () => `chat ${chatId}: ${what}`,
      () => rows.slice(Math.max(0, at - 3), at + 3),
    );
  if (taken.size < others.length) violate('event number twice', 'two changes share a number', 0);
  rows.forEach((row, at) => {
    if (taken.has(row.number)) violate('event number twice', `event number ${row.number} is there twice`, at);
    taken.add(row.number);
    if (row.number <= (rows[at - 1]?.number ?? 0)) {
      violate('event numbers cross', `event number ${row.number} belongs before its predecessor`, at);
    }
  });
  const highest = Math.max(0, rows.at(-1)?.number ?? 0, ...others);
  if (highest !== lastNumber) {
    violate('counter', `it counts ${lastNumber} changes, the last row's number is ${highest}`, rows.length);
  }
}

/** A message that was changed says the number under which it is found by whoever was away. */
function lastChanges(
  tally: Tally,
  chatId: string,
  rows: readonly MessageRow[],
  changes: readonly ChangeRow[],
): void {
  const numbers = new Map(changes.map(({ sequence, number }) => [sequence, number]));
  for (const row of rows) {
    const number = numbers.get(row.sequence);
    if (number === (row.version ?? undefined)) continue;
    tally.violate(
      'other version',
      () =>
        `chat ${chatId}: message ${row.sequence} was changed at ${row.version}, and is found at ${number}`,
      () => [row],
    );
  }
}

/** Later in the chat may not be who was answered before an earlier one had begun. */
function inOrderOfSending(tally: Tally, evidence: Evidence, rows: readonly MessageRow[]): void {
  const replayed = new Set(evidence.history.replayed);
  let latest: { posts: KeyPosts; row: MessageRow } | undefined;
  for (const row of rows) {
    if (replayed.has(row.id)) continue;
    const posts = evidence.postsByKey.get(keyOf(row));
    if (!posts) continue;
    const acceptedAt = placedAt(evidence, posts, row);
    if (latest && acceptedAt !== undefined && acceptedAt < latest.posts.firstBegunAt) {
      const earlier = latest;
      tally.violate(
        'reversal',
        () =>
          `chat ${row.chatId}: ${row.sequence} was answered 202 before ${earlier.row.sequence} was even sent`,
        () => [...evidence.about(earlier.posts.key), ...evidence.about(posts.key)],
      );
    }
    if (!latest || posts.firstBegunAt > latest.posts.firstBegunAt) latest = { posts, row };
  }
}

/** The first 202; where a key was refused after one, that of the send that was stored: a row has the time of its own. */
function placedAt(
  { deadLettersByKey }: Evidence,
  posts: KeyPosts,
  { sentAt }: MessageRow,
): number | undefined {
  if (!deadLettersByKey.has(posts.key)) return posts.acceptedAt;
  const stored = Date.parse(sentAt);
  const candidates = posts.accepted.filter(
    ({ from, to }) => from - clockToleranceMs <= stored && stored <= to + clockToleranceMs,
  );
  return candidates.length > 0 ? Math.max(...candidates.map(({ to }) => to)) : undefined;
}
