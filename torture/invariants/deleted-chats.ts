import type { Evidence } from '../evidence.ts';
import type { ClientHistory } from '../history.ts';
import type { ParticipantRow } from '../rows.ts';
import { createTally, type Tally, type Verdict } from '../verdict.ts';

/** I13 */
export function deletedChats(evidence: Evidence): Verdict {
  const tally = createTally(
    'I13',
    'of a deleted chat nothing is left, and each is told once, of themselves alone',
  );
  const { database, clients } = evidence.history;
  const participants = Map.groupBy(database.participants, (row) => row.chatId);
  const ends = new Map<string, number>();
  for (const chat of database.chats) {
    if (!chat.deleted) continue;
    tally.check();
    ends.set(chat.id, chat.lastNumber);
    const left = [database.messages, database.changes, database.reactions].flatMap((rows) =>
      rows.filter(({ chatId }) => chatId === chat.id),
    );
    const whoStayed = (participants.get(chat.id) ?? []).filter(({ active }) => active);
    if (left.length === 0 && whoStayed.length === 0 && chat.settingsNumber === null) continue;
    tally.violate(
      'left over',
      () =>
        `of chat ${chat.id}, which is deleted, ${left.length} rows and ${whoStayed.length} people are left`,
      () => [chat, ...left.slice(0, 3), ...whoStayed],
    );
  }
  for (const client of clients) {
    for (const [chatId, number] of ends) toldOnce(tally, client, chatId, number, evidence.participants);
  }
  return tally.verdict();
}

function toldOnce(
  tally: Tally,
  client: ClientHistory,
  chatId: string,
  number: number,
  participants: ReadonlyMap<string, ParticipantRow>,
): void {
  const told = client.records.filter(
    (record) => record.kind === 'participant' && record.chatId === chatId && record.number === number,
  );
  const removed = participants.get(`${chatId} ${client.userId}`)?.changedNumber === number;
  tally.check();
  const ofOthers = told.some((record) => record.kind === 'participant' && record.userId !== client.userId);
  if (!ofOthers && told.length <= Number(removed)) return;
  tally.violate(
    ofOthers ? 'told of others' : 'told twice',
    () => `${client.name} was told ${told.length} times who left chat ${chatId} at its end`,
    () => told,
  );
}
