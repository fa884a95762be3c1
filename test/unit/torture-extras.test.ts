import { expect, test } from 'bun:test';
import type { Quote } from '../../src/shared/contract.ts';
import type { ClientRecord, SeenMessage, SentExtras } from '../../torture/history.ts';
import type { MessageRow } from '../../torture/rows.ts';
import { ben, broken, cem, changedHistory, type MutableHistory, shown } from './torture-history.ts';

const rowOf = (h: MutableHistory, sequence: number): MessageRow => h.database.messages[sequence - 1]!;
const postOf = (h: MutableHistory, sequence: number) =>
  h.posts.filter((post) => post.clientMessageId === rowOf(h, sequence).clientMessageId);
const quote = (h: MutableHistory, deleted: boolean): Quote => {
  const { id: messageId, sequence, senderId } = rowOf(h, 3);
  return deleted ? { messageId, deleted: true } : { messageId, sequence, senderId, preview: 'three' };
};
const messageRecords = (h: MutableHistory, name: string, sequence: number) =>
  h.clients
    .find((client) => client.name === name)!
    .records.filter((each) => each.kind === 'message')
    .filter((each) => each.message.sequence === sequence);

/**
 * The changed history, in which "five" answers "three" before that is deleted, and mentions Ben, "six" mentions everyone, and the
 * edit of "two" Cem. Ben is shown "five" again when he resumes.
 */
function historyWithExtras(): MutableHistory {
  const h = changedHistory();
  const ofBen = h.clients.find(({ name }) => name === 'ben/0')!.records;
  const again = ofBen.filter((record) => 'number' in record && [8, 9, 10].includes(Number(record.number)));
  ofBen.splice(
    ofBen.findLastIndex(({ kind }) => kind === 'reset'),
    0,
    ...structuredClone(again),
  );

  const give = (sequence: number, { replyTo, mentions }: SentExtras) => {
    const row = rowOf(h, sequence);
    Object.assign(row, { ...(replyTo && { quoted: replyTo }), ...(mentions && { mentions }) });
    const [first] = row.version ? h.changes : postOf(h, sequence);
    Object.assign(first!, { ...(replyTo && { replyTo }), ...(mentions && { mentions }) });
    const set = (message: SeenMessage, deleted: boolean) =>
      message.id !== row.id || message.version !== (row.version ?? undefined)
        ? message
        : { ...shown(row), ...(replyTo && { replyTo: quote(h, deleted) }) };
    for (const { records } of h.clients) {
      let resumed = 0;
      for (const record of records as ClientRecord[]) {
        if (record.kind === 'connecting') resumed = record.at;
        if (record.kind === 'message') record.message = set(record.message, resumed > 9_700);
        if (record.kind === 'page' && record.at > 9_700) {
          record.messages = record.messages.map((message) => set(message, true));
        }
      }
    }
  };
  give(5, { replyTo: rowOf(h, 3).id, mentions: { userIds: [ben] } });
  give(6, { mentions: { userIds: [], everyone: true } });
  give(2, { mentions: { userIds: [cem] } });
  for (const [at, unreadMentionCount] of [0, 2, 1].entries()) {
    Object.assign(h.database.participants[at]!, { unreadMentionCount });
  }
  return h;
}

const damages: [name: string, damage: (history: MutableHistory) => void, found: string[]][] = [
  ['nothing in what is right', () => {}, []],
  [
    'nothing in who was mentioned, and took no part',
    (h) => {
      postOf(h, 5)[0]!.mentions = { userIds: ['00000000-0000-0000-0000-00000000000d', ben] };
    },
    [],
  ],
  [
    'a mention of somebody who took part, and is not kept',
    (h) => {
      postOf(h, 5)[0]!.mentions = { userIds: [ben, cem] };
    },
    ['I2 other extras'],
  ],
  [
    'an edit that mentions whom nobody asked to',
    (h) => {
      h.changes[0]!.mentions = { userIds: [] };
    },
    ['I2 other extras'],
  ],
  [
    'an answer to another message',
    (h) => {
      postOf(h, 5)[0]!.replyTo = rowOf(h, 1).id;
    },
    ['I2 other extras'],
  ],
  [
    'a deleted message that has kept whom it mentions',
    (h) => {
      rowOf(h, 3).mentions = { userIds: [ben] };
    },
    ['I2 other extras', 'I5 other message', 'I6 altered'],
  ],
  [
    'a server that counts other mentions than there are',
    (h) => {
      h.database.participants[1]!.unreadMentionCount = 1;
    },
    ['I11 other mentions', 'I11 server counts other mentions'],
  ],
  [
    'a device that was not told of a mention',
    (h) => {
      for (const { message } of messageRecords(h, 'ben/0', 6)) delete message.mentions;
    },
    ['I6 altered', 'I11 other mentions'],
  ],
  [
    'a device that was told of more mentions than there were',
    (h) => {
      const told = h.clients.find(({ name }) => name === 'cem/0')!.records;
      const last = told.findLast(({ kind }) => kind === 'membership');
      if (last?.kind === 'membership') last.membership = { ...last.membership, unreadMentionCount: 1 };
    },
    ['I11 other mentions', 'I11 told of other mentions'],
  ],
  [
    'a quote that nobody has said',
    (h) => {
      const [first] = messageRecords(h, 'ann/0', 5);
      first!.message.replyTo = { ...quote(h, false), preview: 'thre' } as Quote;
    },
    ['I6 altered quote'],
  ],
  [
    'a quote of a message that is none',
    (h) => {
      const [first] = messageRecords(h, 'ann/0', 5);
      first!.message.replyTo = { ...quote(h, false), sequence: 4 } as Quote;
    },
    ['I6 phantom quote'],
  ],
  [
    'a quote that is not there any more, of a message that is',
    (h) => {
      const [first] = messageRecords(h, 'ann/0', 5);
      const { id: messageId } = rowOf(h, 1);
      first!.message.replyTo = { messageId, deleted: true };
    },
    ['I5 other message', 'I6 altered', 'I6 quote lost'],
  ],
  [
    'a quote with deleted words in what is told to who connects after that',
    (h) => {
      messageRecords(h, 'ben/0', 5).at(-1)!.message.replyTo = quote(h, false);
    },
    ['I6 deleted words'],
  ],
  [
    'a quote with deleted words in a page of after that',
    (h) => {
      const page = h.clients.find(({ name }) => name === 'ben/0')!.records.at(-1);
      const five = page?.kind === 'page' ? page.messages.find(({ sequence }) => sequence === 5) : undefined;
      five!.replyTo = quote(h, false);
    },
    ['I6 deleted words'],
  ],
];

for (const [name, damage, found] of damages) {
  test(`of replies and mentions, the judge finds ${name}`, () => {
    const history = historyWithExtras();
    damage(history);
    expect(broken(history).sort()).toEqual(found.sort());
  });
}
