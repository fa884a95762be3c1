import type { Membership } from '../../src/shared/contract.ts';
import { deriveBrokerMessageId } from '../../src/shared/ids.ts';
import {
  type ChangeAttempt,
  type ClientRecord,
  type History,
  type MembershipChange,
  type Post,
  reactionsText,
  type SeenMessage,
} from '../../torture/history.ts';
import { judge } from '../../torture/judge.ts';
import type {
  ChangeRow,
  ChatRow,
  DeadLetterRow,
  MessageRow,
  ParticipantRow,
  ReactionsRow,
} from '../../torture/rows.ts';
import type { Invariant } from '../../torture/verdict.ts';

const id = (name: string): string => {
  const hex = new Bun.CryptoHasher('md5').update(name).digest('hex');
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
};

export const chatId = id('chat');
export const ann = id('ann');
export const ben = id('ben');
export const cem = id('cem');

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
export interface MutableHistory {
  posts: Post[];
  clients: { name: string; userId: string; records: Mutable<ClientRecord>[] }[];
  changes: ChangeAttempt[];
  memberships: MembershipChange[];
  poison: { id: string; body: string; at: number }[];
  replayed: string[];
  database: {
    chats: ChatRow[];
    messages: MessageRow[];
    changes: ChangeRow[];
    reactions: ReactionsRow[];
    participants: ParticipantRow[];
  };
  deadLetters: DeadLetterRow[];
  queues: { name: string; messages: number }[];
  processes: Mutable<History['processes'][number]>[];
  presence: Mutable<History['presence'][number]>[];
  brokerSilent: { from: number; to: number }[];
  faults: Mutable<History['faults'][number]>[];
}

const key = (name: string, senderId: string) => ({ chatId, senderId, clientMessageId: id(`key ${name}`) });

export function message(name: string, senderId: string, sequence: number, at: number): SeenMessage {
  const of = key(name, senderId);
  return {
    id: deriveBrokerMessageId(chatId, senderId, of.clientMessageId),
    senderId,
    clientMessageId: of.clientMessageId,
    content: name,
    sequence,
    sentAt: new Date(at).toISOString(),
  };
}

export function post(name: string, senderId: string, at: number, status: number | 'cut' = 202): Post {
  const of = key(name, senderId);
  return {
    ...of,
    content: name,
    authenticated: true,
    begunAt: at,
    endedAt: at + 5,
    status: status === 'cut' ? undefined : status,
    ...(status === 202
      ? { brokerMessageId: deriveBrokerMessageId(chatId, senderId, of.clientMessageId) }
      : {}),
  };
}

export const letterOf = (name: string, senderId: string, reason: string): DeadLetterRow => ({
  id: deriveBrokerMessageId(chatId, senderId, key(name, senderId).clientMessageId),
  reason,
  body: JSON.stringify({ version: 1, ...key(name, senderId), content: name }),
});

/** As a client is shown it. */
export const shown = ({ version, deleted, chatId: _, number: __, ...row }: MessageRow): SeenMessage => {
  const { quoted: ___, mentions, ...seen } = row;
  return { ...seen, ...(mentions ? { mentions } : {}), ...changed(version, deleted) };
};

const changed = (version: MessageRow['version'], deleted: MessageRow['deleted']) => ({
  ...(version ? { version } : {}),
  ...(deleted ? { deletedAt: 'then' } : {}),
});

/** As a device is told how far its user has read. */
export const membershipOf = (
  told: Pick<Membership, 'version' | 'lastReadSequence' | 'lastSequence' | 'eventSequence' | 'unreadCount'> &
    Partial<Membership>,
): Membership => ({
  ...{ chatId, notify: 'all', mutedUntil: null, pinnedAt: null, archivedAt: null, unreadMentionCount: 0 },
  ...told,
});

/**
 * Ann, Ben and Cem in one chat (numbers 1 to 3). Ann says five things and Ben one; Ben's socket drops and resumes; Cem is
 * removed at number 7 and added again at 9. Ben has read two messages; Ann and Cem only what there was when they came. Poison was put in, a refusal is stated, and one post needed three attempts.
 */
export function cleanHistory(): MutableHistory {
  const said: [name: string, sender: string, number: number, at: number][] = [
    ['one', ann, 4, 1_000],
    ['two', ann, 5, 1_100],
    ['three', ben, 6, 1_200],
    // 7: Cem is removed
    ['four', ann, 8, 2_000],
    // 9: Cem is back
    ['five', ann, 10, 9_000],
    ['six', ann, 11, 9_100],
  ];
  const rows: MessageRow[] = said.map(([name, sender, number, at], index) => ({
    chatId,
    ...message(name, sender, index + 1, at),
    number,
  }));
  const event = (number: number, userId: string): ClientRecord => {
    const row = rows.find((each) => each.number === number);
    if (!row) throw new Error(`no row ${number}`);
    const at = Date.parse(row.sentAt) + 20;
    return { kind: 'message', at, saved: row.senderId === userId, chatId, number, message: shown(row) };
  };
  const cemWas = (added: boolean): ClientRecord => ({
    kind: 'participant',
    at: added ? 8_020 : 1_520,
    added,
    chatId,
    number: added ? 9 : 7,
    userId: cem,
    leads: false,
  });
  const connect = (at: number, cursor: number | undefined): ClientRecord[] => [
    { kind: 'connecting', at, cursors: cursor === undefined ? {} : { [chatId]: cursor } },
    { kind: 'connected', at: at + 5 },
  ];
  const chatAt = (number: number, at: number): ClientRecord => ({
    kind: 'chat',
    at,
    chatId,
    number,
    ...{ userIds: [ann, ben, cem], leads: [ann], settings: 'all ' },
  });
  const page = (upTo: number, number: number, at: number): ClientRecord => ({
    kind: 'page',
    at,
    chatId,
    number,
    messages: rows.slice(0, upTo).map(shown),
  });
  const ready = (at: number, membershipVersion = 1): ClientRecord => ({
    kind: 'ready',
    at,
    membershipVersion,
  });
  const membership = (at: number, ...told: Parameters<typeof membershipOf>): ClientRecord => ({
    kind: 'membership',
    at,
    membership: membershipOf(...told),
  });
  const first = { version: 1, lastReadSequence: 0, lastSequence: 0, eventSequence: 3, unreadCount: 0 };
  const all =
    (...numbers: number[]) =>
    (userId: string) =>
      numbers.map((number) => event(number, userId));

  return {
    posts: [
      post('one', ann, 1_000, 503),
      post('one', ann, 1_010, 'cut'),
      post('one', ann, 1_030),
      post('two', ann, 1_100),
      post('three', ben, 1_200),
      post('refused', cem, 1_600),
      post('four', ann, 2_000),
      post('five', ann, 9_000),
      post('six', ann, 9_100),
      // Unknown, and never stored.
      post('seven', ann, 9_200, 'cut'),
      { ...post('forged', ann, 9_300, 401), authenticated: false },
    ],
    clients: [
      {
        name: 'ann/0',
        userId: ann,
        records: [
          chatAt(3, 900),
          ...connect(900, 3),
          membership(908, first),
          ready(910),
          ...all(4, 5, 6)(ann),
          cemWas(false),
          ...all(8)(ann),
          cemWas(true),
          ...all(10, 11)(ann),
        ],
      },
      {
        name: 'ben/0',
        userId: ben,
        records: [
          chatAt(3, 900),
          ...connect(900, 3),
          membership(908, first),
          ready(910),
          ...all(4, 5)(ben),
          membership(1_125, {
            ...{ version: 2, lastReadSequence: 2, lastSequence: 2, eventSequence: 5, unreadCount: 0 },
          }),
          { kind: 'disconnected', at: 1_130, reason: 'transport close' },
          // With an older cursor than it could have: 5 comes again, to the new connection. 7 was superseded by 9.
          ...connect(8_500, 4),
          ...all(5, 6, 8)(ben),
          cemWas(true),
          ready(8_600, 2),
          ...all(10, 11)(ben),
        ],
      },
      {
        name: 'cem/0',
        userId: cem,
        records: [
          chatAt(3, 900),
          ...connect(900, 3),
          membership(908, first),
          ready(910),
          ...all(4, 5, 6)(cem),
          cemWas(false),
          { ...chatAt(9, 8_030), kind: 'created' } as ClientRecord,
          membership(8_030, {
            ...{ version: 2, lastReadSequence: 4, lastSequence: 4, eventSequence: 9, unreadCount: 0 },
          }),
          cemWas(true),
          page(4, 9, 8_050),
          ...all(10, 11)(cem),
        ],
      },
    ],
    changes: [],
    memberships: [
      { chatId, userId: cem, change: 'removed', number: 7, begunAt: 1_490, endedAt: 1_500 },
      { chatId, userId: cem, change: 'added', number: 9, begunAt: 8_000, endedAt: 8_010 },
    ],
    poison: [{ id: 'poison-1', body: 'not json', at: 5_000 }],
    replayed: [],
    database: {
      chats: [
        {
          id: chatId,
          lastSequence: 6,
          lastNumber: 11,
          participantCount: 3,
          settings: 'all ',
          settingsNumber: null,
          deleted: false,
        },
      ],
      messages: rows,
      changes: [],
      reactions: [],
      participants: [ann, ben, cem].map((userId, at) => ({
        chatId,
        userId,
        active: true,
        leads: userId === ann,
        createdNumber: at + 1,
        changedNumber: userId === cem ? 9 : at + 1,
        ...[
          { version: 1, lastReadSequence: 0, unreadCount: 1 },
          { version: 2, lastReadSequence: 2, unreadCount: 3 },
          { version: 2, lastReadSequence: 4, unreadCount: 2 },
        ][at]!,
        unreadMentionCount: 0,
      })),
    },
    deadLetters: [
      { id: 'poison-1', reason: 'not JSON', body: 'not json' },
      letterOf('refused', cem, 'not_participant'),
    ],
    queues: [{ name: 'p0', messages: 0 }],
    processes: [
      {
        name: 'gateway 0',
        before: { sockets: 20, descriptors: 40, memoryBytes: 100e6 },
        after: { sockets: 21, descriptors: 41, memoryBytes: 130e6 },
      },
    ],
    presence: [
      { userId: ann, how: 'connected', since: 9_900, online: true, lastSeenAt: null, readAt: 9_950 },
      {
        ...{ userId: ben, how: 'disconnected', since: 10_000, online: false, readAt: 19_500 },
        lastSeenAt: new Date(10_005).toISOString(),
      },
      { userId: cem, how: 'gateway died', since: 20_000, online: false, lastSeenAt: null, readAt: 49_000 },
    ],
    brokerSilent: [{ from: 5_000, to: 6_000 }],
    faults: [],
  };
}

/** The same, and then "two" is edited at number 12, and "three" deleted by Ann at 13; all are told, and Ben again later. */
export function changedHistory(): MutableHistory {
  const history = cleanHistory();
  const attempt = (sequence: number, at: number) => ({
    ...{ chatId, messageId: history.database.messages[sequence - 1]?.id ?? '' },
    ...{ begunAt: at, endedAt: at + 10 },
  });
  history.changes.push({ ...attempt(2, 9_500), content: 'two, edited', status: 200 });
  history.changes.push({ ...attempt(3, 9_600), status: 503 }, { ...attempt(3, 9_620), status: 204 });
  const { messages, changes, chats } = history.database;
  Object.assign(messages[1] ?? {}, { content: 'two, edited', version: 12, deleted: false });
  Object.assign(messages[2] ?? {}, { content: '', version: 13, deleted: true });
  Object.assign(history.database.participants[0] ?? {}, { unreadCount: 0 });
  changes.push({ chatId, sequence: 2, number: 12 }, { chatId, sequence: 3, number: 13 });
  Object.assign(chats[0] ?? {}, { lastNumber: 13 });
  const told = (at: number): ClientRecord[] =>
    messages.slice(1, 3).map((row) => ({
      ...{ kind: 'message', at, changed: row.deleted ? 'deleted' : 'updated', saved: false, chatId },
      ...{ number: row.version ?? 0, message: shown(row) },
    }));
  for (const { records } of history.clients) records.push(...told(9_640));
  history.clients[1]?.records.push(
    { kind: 'disconnected', at: 9_700, reason: 'transport close' },
    { kind: 'connecting', at: 9_800, cursors: { [chatId]: 5 } },
    { kind: 'connected', at: 9_805 },
    ...messages.slice(2, 3).map(
      (row): ClientRecord => ({
        ...{ kind: 'message', at: 9_810, saved: true, chatId, number: 6, message: shown(row) },
      }),
    ),
    { kind: 'reset', at: 9_820, chatId, number: 11 },
    ...told(9_830),
    { kind: 'ready', at: 9_840, membershipVersion: 2 },
    { kind: 'page', at: 9_850, chatId, number: 13, messages: messages.map(shown) },
  );
  return history;
}

/** The same as the clean one, and then Ben and Cem react to "one": all are told at number 12. */
export function reactedHistory(): MutableHistory {
  const history = cleanHistory();
  const { reactions, chats } = history.database;
  const shown = [{ key: '👍', count: 2, userIds: [ben, cem] }];
  reactions.push({ chatId, sequence: 1, number: 12, shown, counted: [{ key: '👍', count: 2 }] });
  Object.assign(chats[0] ?? {}, { lastNumber: 12 });
  for (const { records } of history.clients) {
    records.push({
      ...{ kind: 'reactions', at: 9_700, chatId, number: 12, sequence: 1 },
      reactions: reactionsText(shown),
    });
  }
  return history;
}

/** The same as the clean one, and then the chat is renamed, for admins alone (12), one of whom Ben becomes (13). */
export function ledHistory(): MutableHistory {
  const history = cleanHistory();
  const { participants, chats } = history.database;
  Object.assign(chats[0]!, { lastNumber: 13, settings: 'admins Renamed', settingsNumber: 12 });
  Object.assign(participants[1]!, { leads: true, changedNumber: 13 });
  for (const { records } of history.clients) {
    records.push(
      { kind: 'settings', at: 9_700, chatId, number: 12, settings: 'admins Renamed' },
      { kind: 'participant', at: 9_800, added: true, chatId, number: 13, userId: ben, leads: true },
    );
  }
  return history;
}

/** The same as the clean one, and then Ann deletes the chat (12): nothing of it is left, and each is told of themselves. */
export function deletedHistory(): MutableHistory {
  const history = cleanHistory();
  const { participants, chats } = history.database;
  Object.assign(chats[0]!, { lastNumber: 12, participantCount: 0, deleted: true });
  history.database.messages = [];
  for (const row of participants) Object.assign(row, { active: false, changedNumber: 12 });
  for (const { userId, records } of history.clients) {
    records.push({
      ...{ kind: 'participant', at: 9_710, added: false, chatId, number: 12, userId, leads: false },
    });
  }
  for (const userId of [ann, ben, cem]) {
    history.memberships.push({
      ...{ chatId, userId, change: 'removed', number: 12, begunAt: 9_700, endedAt: 9_705 },
    });
  }
  return history;
}

/** Which invariants a history breaks, with the kinds of violation: `I5 loss`. */
export function broken(history: MutableHistory): string[] {
  return judge(history as History).flatMap((verdict) =>
    Object.keys(verdict.kinds).map((kind) => `${verdict.invariant} ${kind}`),
  );
}

export const checkedOf = (history: MutableHistory): Record<Invariant, number> =>
  Object.fromEntries(
    judge(history as History).map((verdict) => [verdict.invariant, verdict.checked]),
  ) as Record<Invariant, number>;
