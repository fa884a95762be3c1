import { describe, expect, test } from 'bun:test';
import type { ClientRecord } from '../../torture/history.ts';
import { judge } from '../../torture/judge.ts';
import {
  ann,
  ben,
  broken,
  cem,
  changedHistory,
  chatId,
  checkedOf,
  cleanHistory,
  deletedHistory,
  ledHistory,
  letterOf,
  type MutableHistory,
  membershipOf,
  message,
  post,
  reactedHistory,
} from './torture-history.ts';

const records = (history: MutableHistory, name: string): ClientRecord[] => {
  const client = history.clients.find((each) => each.name === name);
  if (!client) throw new Error(`no client ${name}`);
  return client.records;
};
const indexOf = (list: ClientRecord[], number: number): number =>
  list.findLastIndex(
    (record) => (record.kind === 'message' || record.kind === 'participant') && record.number === number,
  );
const drop = (list: ClientRecord[], number: number): void => {
  list.splice(indexOf(list, number), 1);
};
const messageEvent = (history: MutableHistory, number: number): ClientRecord & { kind: 'message' } => {
  const found = records(history, 'ben/0').find(
    (record) => record.kind === 'message' && record.number === number,
  );
  if (found?.kind !== 'message') throw new Error(`no event ${number}`);
  return structuredClone(found);
};

/** Ann's last message was accepted long before, and refused, because only admins could post. */
function refusedAtFirst(h: MutableHistory): void {
  h.posts.unshift(post('six', ann, 1_050));
  h.deadLetters.push(letterOf('six', ann, 'not_allowed'));
  h.database.chats[0]!.settingsNumber = 12;
  h.database.chats[0]!.lastNumber = 12;
  for (const { records: list } of h.clients) {
    list.push({ kind: 'settings', at: 9_200, chatId, number: 12, settings: 'all ' });
  }
}

/** What is done to the clean history, and what must be found. */
const damages: [name: string, damage: (history: MutableHistory) => void, found: string[]][] = [
  [
    'a 202 without a row',
    (h) => {
      h.posts.push(post('gone', ann, 9_400));
    },
    ['I1 lost'],
  ],
  [
    'a dead letter without a reason',
    (h) => {
      h.deadLetters = h.deadLetters.map((letter) => ({ ...letter, reason: '' }));
    },
    ['I1 no reason', 'I8 no reason'],
  ],
  [
    'a row nobody posted',
    (h) => {
      h.posts = h.posts.filter(({ content }) => content !== 'three');
    },
    ['I2 no post'],
  ],
  [
    'a row only a forged token asked for',
    (h) => {
      for (const each of h.posts) if (each.content === 'five') each.authenticated = false;
    },
    ['I2 not authenticated'],
  ],
  [
    'a row with a content nobody sent',
    (h) => {
      for (const each of h.posts) if (each.content === 'five') each.content = 'something else';
    },
    ['I2 other content'],
  ],
  [
    'a row older than its post',
    (h) => {
      for (const each of h.posts) if (each.content === 'six') each.begunAt += 200;
      for (const each of h.posts) if (each.content === 'six') each.endedAt += 200;
    },
    ['I2 before its post'],
  ],
  [
    'one key stored twice',
    (h) => {
      h.database.messages.push({ chatId, ...message('two', ann, 7, 1_100), number: 12 });
      Object.assign(h.database.chats[0]!, { lastSequence: 7, lastNumber: 12 });
    },
    ['I3 stored twice', 'I4 reversal', 'I5 loss', 'I6 miss', 'I11 server counts otherwise'],
  ],
  [
    'a 202 with another id than its row',
    (h) => {
      h.posts.find(({ content }) => content === 'two')!.brokerMessageId = ann;
    },
    ['I3 other id'],
  ],
  [
    'a gap in sequence',
    (h) => {
      h.database.messages.splice(3, 1);
      h.posts = h.posts.filter(({ content }) => content !== 'four');
      for (const { records: list } of h.clients) if (indexOf(list, 8) >= 0) drop(list, 8);
      const page = records(h, 'cem/0').find((record) => record.kind === 'page');
      if (page?.kind === 'page') page.messages = page.messages.slice(0, 3);
    },
    ['I4 gap', 'I11 other count', 'I11 server counts otherwise'],
  ],
  [
    'a counter ahead of its rows',
    (h) => {
      h.database.chats[0]!.lastNumber = 12;
    },
    ['I4 counter'],
  ],
  [
    'participants counted wrong',
    (h) => {
      h.database.chats[0]!.participantCount = 2;
    },
    ['I4 participants'],
  ],
  [
    'two sends in the wrong order in the database',
    (h) => {
      const six = h.posts.find(({ content }) => content === 'six')!;
      const five = h.posts.find(({ content }) => content === 'five')!;
      Object.assign(six, { begunAt: 8_900, endedAt: 8_905 });
      Object.assign(five, { begunAt: 8_950, endedAt: 8_955 });
    },
    ['I4 reversal'],
  ],
  [
    'one that was refused, sent again, and stored before what was sent after that',
    (h) => {
      refusedAtFirst(h);
      const five = h.posts.find(({ content }) => content === 'five')!;
      Object.assign(five, { begunAt: 9_120, endedAt: 9_125 });
    },
    ['I2 before its post', 'I4 reversal'],
  ],
  [
    'a loss: one client never saw one message',
    (h) => drop(records(h, 'cem/0'), 10),
    ['I5 loss', 'I6 miss at resume', 'I11 other count'],
  ],
  [
    'a loss at the very end, where no later number shows it',
    (h) => drop(records(h, 'ann/0'), 11),
    ['I5 loss', 'I6 miss'],
  ],
  [
    'a loss while it was disconnected, not made good by the resume',
    (h) => drop(records(h, 'ben/0'), 6),
    ['I5 loss', 'I6 miss'],
  ],
  [
    'a repeat on one connection',
    (h) => {
      const list = records(h, 'ben/0');
      list.splice(indexOf(list, 11) + 1, 0, messageEvent(h, 11));
    },
    ['I6 repeat'],
  ],
  [
    'a replay that begins before the cursor',
    (h) => {
      const list = records(h, 'ben/0');
      const connect = list.findLastIndex(({ kind }) => kind === 'connected');
      list.splice(connect + 1, 0, messageEvent(h, 4));
    },
    ['I6 not after the cursor'],
  ],
  [
    'a reversal',
    (h) => {
      const list = records(h, 'ann/0');
      const at = indexOf(list, 10);
      list.splice(at, 2, list[at + 1]!, list[at]!);
    },
    ['I6 miss', 'I6 reversal'],
  ],
  [
    'a phantom',
    (h) => {
      records(h, 'ann/0').push({
        kind: 'message',
        at: 9_900,
        saved: true,
        chatId,
        number: 12,
        message: message('phantom', ann, 7, 9_900),
      });
    },
    ['I5 phantom', 'I6 phantom'],
  ],
  [
    'a message that differs from its row',
    (h) => {
      const record = records(h, 'ben/0').find((each) => each.kind === 'message' && each.number === 10);
      if (record?.kind === 'message') record.message = { ...record.message, content: 'forged' };
    },
    ['I5 other message', 'I6 altered'],
  ],
  [
    'a stale row: a participant who has left is still shown',
    (h) => {
      const participant = h.database.participants.find(({ userId }) => userId === ben)!;
      Object.assign(participant, { active: false, changedNumber: 12 });
      Object.assign(h.database.chats[0]!, { lastNumber: 12, participantCount: 2 });
      h.memberships.push({
        chatId,
        userId: ben,
        change: 'removed',
        number: 12,
        begunAt: 9_700,
        endedAt: 9_710,
      });
      for (const name of ['ann/0', 'ben/0']) {
        records(h, name).push({
          kind: 'participant',
          at: 9_720,
          added: false,
          chatId,
          number: 12,
          userId: ben,
          leads: false,
        });
      }
    },
    ['I5 stale row', 'I6 miss'],
  ],
  [
    'a chat its user has left is still shown',
    (h) => {
      h.database.participants = h.database.participants.filter(({ userId }) => userId !== ann);
      h.database.chats[0]!.participantCount = 2;
    },
    // Ann is then no participant of any time.
    ['I5 stale chat', 'I5 stale row', 'I7 leak'],
  ],
  [
    'a message as chat.message.new to its sender',
    (h) => {
      const record = records(h, 'ann/0').find((each) => each.kind === 'message' && each.number === 10);
      if (record?.kind === 'message') record.saved = false;
    },
    ['I6 wrong event'],
  ],
  [
    'a connection that never becomes ready',
    (h) => {
      const list = records(h, 'ann/0');
      list.splice(
        list.findIndex(({ kind }) => kind === 'ready'),
        1,
      );
    },
    ['I6 never ready'],
  ],
  [
    'events of a chat that was never announced',
    (h) => {
      const list = records(h, 'cem/0');
      list.splice(
        list.findIndex(({ kind }) => kind === 'created'),
        1,
      );
    },
    ['I6 unannounced'],
  ],
  [
    'a leak to a removed user',
    (h) => {
      const list = records(h, 'cem/0');
      list.splice(indexOf(list, 7) + 1, 0, { ...messageEvent(h, 8), at: 2_020 });
    },
    ['I6 unannounced', 'I7 leak'],
  ],
  [
    'a removed user who is told too late',
    (h) => {
      records(h, 'cem/0')[indexOf(records(h, 'cem/0'), 7)]!.at = 3_000;
    },
    ['I7 slow leaving'],
  ],
  [
    'a message left in a queue',
    (h) => {
      h.queues[0]!.messages = 1;
    },
    ['I8 left over'],
  ],
  [
    'an innocent dead letter',
    (h) => {
      h.deadLetters.push(letterOf('two', ann, 'delivered too often'));
    },
    ['I8 an innocent'],
  ],
  [
    'a refusal of a sender who took part all the time',
    (h) => {
      h.deadLetters.push(letterOf('two', ann, 'not_participant'));
    },
    ['I8 its sender took part all the time'],
  ],
  [
    'poison that vanished',
    (h) => {
      h.deadLetters.shift();
    },
    ['I8 poison lost'],
  ],
  [
    'a leak of sockets',
    (h) => {
      h.processes[0]!.after = { sockets: 320, descriptors: 340, memoryBytes: 130e6 };
    },
    ['I9 sockets', 'I9 descriptors'],
  ],
  [
    'a leak of memory',
    (h) => {
      h.processes[0]!.after = { sockets: 20, descriptors: 40, memoryBytes: 400e6 };
    },
    ['I9 memoryBytes'],
  ],
  [
    'a success before the confirm',
    (h) => {
      h.brokerSilent.push({ from: 8_990, to: 9_050 });
    },
    ['I10 unconfirmed success'],
  ],
  ['somebody who is shown offline while connected', (h) => (h.presence[0]!.online = false), ['I14 offline']],
  ['somebody who is online without a socket', (h) => (h.presence[1]!.online = true), ['I14 still online']],
  ['somebody who left long after', (h) => (h.presence[1]!.readAt = 21_600), ['I14 late']],
  ['somebody last seen at another time', (h) => (h.presence[1]!.lastSeenAt = null), ['I14 last seen']],
  ["a dead gateway's user who stays", (h) => (h.presence[2]!.readAt = 51_600), ['I14 late']],
  [
    'a device that was not told what was read on another',
    (h) => {
      const list = records(h, 'ben/0');
      list.splice(
        list.findLastIndex(({ kind }) => kind === 'membership'),
        1,
      );
    },
    ['I11 other membership'],
  ],
  [
    'a device that was told another count than there was',
    (h) => {
      const told = records(h, 'cem/0').findLast(({ kind }) => kind === 'membership');
      if (told?.kind === 'membership') told.membership = { ...told.membership, unreadCount: 1 };
    },
    ['I11 other count', 'I11 told otherwise'],
  ],
  [
    'a device that knows that it cannot count, and does not read the chat',
    (h) => {
      const ofBen = h.database.participants.find(({ userId }) => userId === ben)!;
      const older = { version: 3, lastReadSequence: 1, lastSequence: 1, eventSequence: 4, unreadCount: 0 };
      Object.assign(ofBen, { version: 3, lastReadSequence: 1, unreadCount: 4 });
      records(h, 'ben/0').push({ kind: 'membership', at: 9_200, membership: membershipOf(older) });
    },
    ['I11 unknown'],
  ],
  [
    'a server that counts what is not there',
    (h) => {
      h.database.participants[1]!.unreadCount = 4;
    },
    ['I11 other count', 'I11 server counts otherwise'],
  ],
];

describe('judge', () => {
  test('a clean history breaks nothing, and everything in it was checked', () => {
    expect(broken(cleanHistory())).toEqual([]);
    const { I10, I12, I13, ...checked } = checkedOf(cleanHistory());
    expect(Object.values(checked).every((count) => count > 0)).toBe(true);
    // Nothing was posted while the broker was silent: a run that says so has proved nothing there.
    expect(I10).toBe(0);
    expect(I12 + I13).toBe(0);
  });

  for (const [name, damage, found] of damages) {
    test(`finds ${name}`, () => {
      const history = cleanHistory();
      damage(history);
      expect(broken(history).sort()).toEqual(found.sort());
    });
  }

  test('shows the records around the first violation', () => {
    const history = cleanHistory();
    drop(records(history, 'cem/0'), 10);
    const missed = judge(history).find(({ invariant }) => invariant === 'I6');
    expect(missed?.first?.what).toContain('came without 10');
    expect(JSON.stringify(missed?.first?.history)).toContain('"number":11');
  });
});

describe('of edits and deletions', () => {
  type MessageRecord = ClientRecord & { kind: 'message' };
  const lastOf = (history: MutableHistory, name: string, number: number): MessageRecord => {
    const found = records(history, name).findLast(
      (each) => each.kind === 'message' && each.number === number,
    );
    return found as MessageRecord;
  };
  const pageOf = (history: MutableHistory) =>
    records(history, 'ben/0').at(-1) as ClientRecord & { kind: 'page' };

  test('what was asked for and told breaks nothing', () => {
    expect(broken(changedHistory())).toEqual([]);
  });

  const changeDamages: typeof damages = [
    [
      'an edit that somebody was not told',
      (h) => drop(records(h, 'ann/0'), 12),
      ['I5 other message', 'I6 miss'],
    ],
    [
      'a deletion at the very end that somebody was not told',
      (h) => drop(records(h, 'cem/0'), 13),
      ['I5 other message', 'I6 miss'],
    ],
    [
      'words of a deleted message at a resume after it',
      (h) => {
        const record = lastOf(h, 'ben/0', 6);
        record.message = message('three', ben, 3, 1_200);
      },
      ['I6 deleted words'],
    ],
    [
      'an edit that nobody asked for',
      (h) => {
        h.changes.shift();
      },
      ['I2 other content'],
    ],
    [
      'a deletion that nobody asked for',
      (h) => {
        h.changes.splice(1);
      },
      ['I2 other content'],
    ],
    [
      'an edit with words that nobody sent',
      (h) => {
        const record = lastOf(h, 'cem/0', 12);
        record.message = { ...record.message, content: 'forged' };
      },
      ['I5 other message', 'I6 altered'],
    ],
    [
      'an edit under a number that is none',
      (h) => {
        const record = lastOf(h, 'ann/0', 13);
        Object.assign(record, { number: 14, message: { ...record.message, version: 14 } });
      },
      ['I5 other message', 'I6 miss', 'I6 phantom'],
    ],
    [
      'an edit that whoever is away does not find',
      (h) => {
        h.database.changes.shift();
      },
      ['I4 other version'],
    ],
    [
      'a page with a message as it was before',
      (h) => {
        pageOf(h).messages = pageOf(h).messages.with(1, message('two', ann, 2, 1_100));
      },
      ['I6 stale page'],
    ],
  ];
  test.each(changeDamages)('finds %s', (_, damage, found) => {
    const history = changedHistory();
    damage(history);
    expect(broken(history).sort()).toEqual(found.sort());
  });
});

/** What looks odd and is allowed. */
const legal: [name: string, change: (history: MutableHistory) => void][] = [
  [
    'a client that stays away and comes back at the end',
    (h) => {
      const list = records(h, 'ben/0');
      const at = list.findLastIndex(({ kind }) => kind === 'connecting');
      for (const record of list.slice(at)) Object.assign(record, { at: 9_900 });
    },
  ],
  [
    'a client that is told to read again, and does',
    (h) => {
      const list = records(h, 'ben/0');
      const at = list.findLastIndex(({ kind }) => kind === 'connected');
      const page = records(h, 'cem/0').find(({ kind }) => kind === 'page')!;
      list.splice(
        at + 1,
        indexOf(list, 9) - at,
        { kind: 'reset', at: 8_510, chatId, number: 9 },
        {
          kind: 'chat',
          at: 8_520,
          chatId,
          number: 9,
          userIds: [ann, ben, cem],
          leads: [ann],
          settings: 'all ',
        },
        {
          ...{ kind: 'membership', at: 8_520 },
          membership: membershipOf({
            ...{ version: 2, lastReadSequence: 2, lastSequence: 4, eventSequence: 9, unreadCount: 1 },
          }),
        },
        { ...page },
      );
    },
  ],
  [
    'someone who came and went while a client was away is not told of',
    (h) => {
      h.database.participants.push({
        chatId,
        userId: '00000000-0000-0000-0000-00000000000d',
        active: false,
        leads: false,
        createdNumber: 12,
        changedNumber: 13,
        ...{ lastReadSequence: 6, version: 1, unreadCount: 0, unreadMentionCount: 0 },
      });
      h.database.chats[0]!.lastNumber = 13;
    },
  ],
  [
    'a client that was never told of being added has nothing to leave',
    (h) => {
      const elsewhere = { chatId: '00000000-0000-0000-0000-00000000000e', userId: cem };
      h.memberships.push(
        { ...elsewhere, change: 'added', number: 3, begunAt: 1_500, endedAt: 1_505 },
        { ...elsewhere, change: 'removed', number: 4, begunAt: 1_510, endedAt: 1_515 },
      );
    },
  ],
  [
    'a removal while Redis is away is told within 30 s',
    (h) => {
      h.faults.push({ name: 'freeze redis', begunAt: 1_400, endedAt: 3_500, redisAway: true });
      records(h, 'cem/0')[indexOf(records(h, 'cem/0'), 7)]!.at = 6_000;
    },
  ],
  ['what was refused after its 202 has the place of the send that was stored', refusedAtFirst],
  [
    'a replayed dead letter takes a later number',
    (h) => {
      const one = h.posts.find(({ content, status }) => content === 'six' && status === 202)!;
      h.replayed.push(one.brokerMessageId!);
      Object.assign(one, { begunAt: 8_000, endedAt: 8_005 });
      const five = h.posts.find(({ content }) => content === 'five')!;
      Object.assign(five, { begunAt: 8_950, endedAt: 8_955 });
    },
  ],
];

for (const [name, change] of legal) {
  test(`allows ${name}`, () => {
    const history = cleanHistory();
    change(history);
    expect(broken(history)).toEqual([]);
  });
}

test('judges a million deliveries in seconds', () => {
  const history = cleanHistory();
  const rows = Array.from({ length: 10_000 }, (_, at) => ({
    chatId,
    ...message(`bulk ${at}`, ann, at + 7, 10_000 + at),
    number: at + 12,
  }));
  history.posts.push(...rows.map((_, at) => post(`bulk ${at}`, ann, 10_000 + at)));
  history.database.messages.push(...rows);
  Object.assign(history.database.chats[0]!, { lastSequence: 10_006, lastNumber: 10_011 });
  const ofBen = records(history, 'ben/0');
  const events = rows.map(({ chatId: _, number, ...seen }): ClientRecord => {
    return { kind: 'message', at: 20_000, saved: false, chatId, number, message: seen };
  });
  ofBen.push(...events);
  for (const name of ['ann/0', 'cem/0']) {
    records(history, name).push(
      ...events.map((event) => ({ ...event, saved: name === 'ann/0' }) as ClientRecord),
    );
  }
  const last = { version: 3, lastSequence: 10_006, eventSequence: 10_011 };
  for (const [at, name, state] of [
    [1, 'ben/0', { lastReadSequence: 10_006, unreadCount: 0 }],
    [2, 'cem/0', { lastReadSequence: 4, unreadCount: 100 }],
  ] as const) {
    Object.assign(history.database.participants[at]!, { version: 3, ...state });
    records(history, name).push({
      ...{ kind: 'membership', at: 20_000 },
      membership: membershipOf({ ...last, ...state }),
    });
  }
  for (let copy = 1; copy < 100; copy += 1) {
    history.clients.push({ name: `ben/${copy}`, userId: ben, records: ofBen });
  }
  const began = performance.now();
  expect(broken(history)).toEqual([]);
  expect(performance.now() - began).toBeLessThan(10_000);
});

describe('judge, of reactions', () => {
  const lastOf = (history: MutableHistory, name: string) => {
    const record = records(history, name).at(-1);
    if (record?.kind !== 'reactions') throw new Error('no reactions');
    return record;
  };
  const damages: [name: string, damage: (history: MutableHistory) => void, found: string[]][] = [
    ['nothing in what is right', () => {}, []],
    [
      'what a client shows',
      (h) => Object.assign(lastOf(h, 'ben/0'), { reactions: '' }),
      ['I12 other reactions'],
    ],
    [
      'what a page brought that is older than the event',
      (h) => {
        const page = records(h, 'cem/0').find(({ kind }) => kind === 'page');
        records(h, 'cem/0').push({ ...structuredClone(page!), at: 9_800 });
      },
      [],
    ],
    [
      'what is not told',
      (h) => {
        records(h, 'ann/0').pop();
      },
      ['I6 miss', 'I12 other reactions'],
    ],
    [
      'what is told twice',
      (h) => {
        records(h, 'ann/0').push(structuredClone(lastOf(h, 'ann/0')));
      },
      ['I6 repeat'],
    ],
    [
      'a count that is none',
      (h) => Object.assign(h.database.reactions[0]!, { counted: [{ key: '👍', count: 1 }] }),
      ['I12 miscounted'],
    ],
    [
      'a number that two have',
      (h) => Object.assign(h.database.reactions[0]!, { number: 11 }),
      [...['I4 counter', 'I4 event number twice']],
    ],
  ];
  for (const [name, damage, found] of damages) {
    test(`finds ${name}`, () => {
      const history = reactedHistory();
      damage(history);
      expect(broken(history).sort()).toEqual(found.sort());
    });
  }
});

describe('judge, of settings and roles', () => {
  const damages: [name: string, damage: (history: MutableHistory) => void, found: string[]][] = [
    ['nothing in what is right', () => {}, []],
    [
      'settings that are not told',
      (h) => {
        records(h, 'ben/0').splice(-2, 1);
      },
      ['I5 other settings', 'I6 miss'],
    ],
    [
      'a role that is not told',
      (h) => {
        records(h, 'ann/0').pop();
      },
      ['I5 other role', 'I6 miss'],
    ],
    [
      'what a client shows',
      (h) => {
        Object.assign(records(h, 'cem/0').at(-2)!, { settings: 'all Renamed' });
        Object.assign(records(h, 'cem/0').at(-1)!, { leads: false });
      },
      ['I5 other role', 'I5 other settings'],
    ],
    [
      'a number that two have',
      (h) => Object.assign(h.database.chats[0]!, { settingsNumber: 11 }),
      ['I4 event number twice'],
    ],
  ];
  for (const [name, damage, found] of damages) {
    test(`finds ${name}`, () => {
      const history = ledHistory();
      damage(history);
      expect(broken(history).sort()).toEqual(found.sort());
    });
  }
});

describe('judge, of the end of a chat and of typing', () => {
  const damages: [name: string, damage: (history: MutableHistory) => void, found: string[]][] = [
    ['nothing in what is right', () => {}, []],
    [
      'nothing in what was accepted and is nowhere',
      (h) => {
        h.posts.push(post('on its way', ben, 9_702));
      },
      [],
    ],
    [
      'a message that is left',
      (h) => {
        h.database.messages = cleanHistory().database.messages.slice(0, 1);
      },
      ['I13 left over'],
    ],
    [
      'somebody who is still in it',
      (h) => {
        Object.assign(h.database.participants[1]!, { active: true });
      },
      ['I4 participants', 'I5 chat missing', 'I6 phantom', 'I11 server counts otherwise', 'I13 left over'],
    ],
    [
      'who is told twice',
      (h) => {
        records(h, 'ben/0').push({ ...records(h, 'ben/0').at(-1)! });
      },
      ['I13 told twice'],
    ],
    [
      'who is told of somebody else',
      (h) => {
        Object.assign(records(h, 'ben/0').at(-1)!, { userId: cem });
      },
      ['I5 stale chat', 'I13 told of others'],
    ],
    [
      'who is not told',
      (h) => {
        records(h, 'ben/0').pop();
      },
      ['I5 stale chat', 'I7 slow leaving'],
    ],
    [
      'who types, told to themselves and to who has left',
      (h) => {
        const typing = { kind: 'typing', at: 9_800, chatId, userId: ben } as const;
        for (const name of ['ann/0', 'ben/0']) records(h, name).push({ ...typing });
      },
      ['I7 own typing', 'I7 typing leak'],
    ],
  ];
  for (const [name, damage, found] of damages) {
    test(`finds ${name}`, () => {
      const history = deletedHistory();
      damage(history);
      expect(broken(history).sort()).toEqual(found.sort());
    });
  }
});
