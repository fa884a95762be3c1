import type { Evidence } from '../evidence.ts';
import { type ClientHistory, reactionsText } from '../history.ts';
import { createTally, type Verdict } from '../verdict.ts';

/** I12 */
export function settledReactions(evidence: Evidence): Verdict {
  const tally = createTally(
    'I12',
    'after settling, every client shows the reactions of those who have reacted',
  );
  const { clients, database } = evidence.history;
  const active = new Set(
    database.participants.filter((row) => row.active).map(({ chatId, userId }) => `${chatId} ${userId}`),
  );
  for (const row of database.reactions) {
    tally.check();
    const counts = (of: typeof row.counted) => of.map(({ key, count }) => `${key} ${count}`).toSorted();
    if (counts(row.shown).join() === counts(row.counted).join()) continue;
    tally.violate(
      'miscounted',
      () => `message ${row.sequence} of chat ${row.chatId} shows other reactions than it has`,
      () => [row],
    );
  }
  for (const client of clients) {
    const view = reactionsOf(client);
    for (const row of database.reactions) {
      if (!active.has(`${row.chatId} ${client.userId}`)) continue;
      tally.check();
      const known = view.get(`${row.chatId} ${row.sequence}`);
      if (known?.text === reactionsText(row.shown)) continue;
      tally.violate(
        'other reactions',
        () => `${client.name} shows other reactions of message ${row.sequence} of chat ${row.chatId}`,
        () => [row, known],
      );
    }
  }
  return tally.verdict();
}

/** What a client shows that takes over whatever it is told, the higher number winning; that of a page is the page's. */
function reactionsOf(client: ClientHistory): Map<string, { number: number; text: string }> {
  const view = new Map<string, { number: number; text: string }>();
  const set = (chatId: string, sequence: number, number: number, text: string) => {
    const key = `${chatId} ${sequence}`;
    if ((view.get(key)?.number ?? -1) <= number) view.set(key, { number, text });
  };
  for (const record of client.records) {
    if (record.kind === 'reactions') set(record.chatId, record.sequence, record.number, record.reactions);
    else if (record.kind === 'message') {
      set(record.chatId, record.message.sequence, record.number, record.message.reactions ?? '');
    } else if (record.kind === 'page') {
      for (const { sequence, reactions } of record.messages)
        set(record.chatId, sequence, record.number, reactions ?? '');
    }
  }
  return view;
}
