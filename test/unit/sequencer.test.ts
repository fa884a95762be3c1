import { describe, expect, test } from 'bun:test';
import type { Change, Page } from '../../src/gateway/change.ts';
import { createFanOut } from '../../src/gateway/fan-out.ts';
import { gapFilled } from '../../src/gateway/fill-gap.ts';
import { heldMs, mostHeld } from '../../src/gateway/held-back.ts';
import type { Member } from '../../src/gateway/member.ts';
import { createSequencer, type Sequencer } from '../../src/gateway/sequencer.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { Subscriber } from '../../src/shared/ports/notifications.ts';
import { createRandom } from '../../torture/random.ts';
import { eventually } from '../support/eventually.ts';

const log = createLog({ logLevel: 'silent' }, 'test');
const chatId = 'chat';
/** Of all that a test has made. */
const sockets = new Map<string, Set<Member>>();
/** Rooms here are small: nothing is published natively. */
const fanOut = createFanOut({ publish() {}, socketsOf: (userId) => sockets.get(userId) ?? new Set() });

interface FakeMember extends Member {
  /** Numbers of the frames, as sent. */
  numbers: number[];
}

function member(userId: string): FakeMember {
  const numbers: number[] = [];
  const made: FakeMember = {
    userId,
    sessionId: undefined,
    expiresAt: 0,
    socketId: crypto.randomUUID(),
    chats: new Set(),
    live: true,
    hides: false,
    stale: false,
    refused: undefined,
    closed: false,
    numbers,
    send: (frame) => numbers.push(JSON.parse(frame.slice(frame.indexOf('['))).at(1).eventSequence),
    pass() {},
    close() {},
    removed() {},
  };
  sockets.getOrInsertComputed(userId, () => new Set()).add(made);
  return made;
}

/** One chat as a database would hold it: every row with the number of its last change. */
function fakeDatabase(options: { pageRows: number; delay: () => Promise<void>; fails?: () => boolean }) {
  let head = 0;
  const rows = new Map<string, Change>();
  const put = (key: string, change: (eventSequence: number, body: string) => Change): Change => {
    head += 1;
    const row = change(head, JSON.stringify({ eventSequence: head }));
    rows.set(key, row);
    return row;
  };
  const participants = (userIds: string[], present: boolean) =>
    put(`p${userIds}`, (eventSequence, body) =>
      present
        ? { chatId, eventSequence, event: 'chat.participant.added', came: userIds, body }
        : { chatId, eventSequence, event: 'chat.participant.removed', went: userIds, body },
    );
  return {
    get head() {
      return head;
    },
    numbersAfter: (after: number) =>
      [...rows.values()]
        .map(({ eventSequence }) => eventSequence)
        .filter((one) => one > after)
        .sort((a, b) => a - b),
    message: (senderId: string) =>
      put(`m${head + 1}`, (eventSequence, body) => ({
        ...{ chatId, eventSequence, event: 'chat.message.new', body },
        ...{ actorId: senderId, actorEvent: 'chat.message.saved' },
      })),
    participants,
    participant: (userId: string, present: boolean) => participants([userId], present),
    async readPage(_chatId: string, after: number): Promise<Page> {
      await options.delay();
      if (options.fails?.()) throw new Error('the database is away');
      const changes = [...rows.values()]
        .filter((row) => row.eventSequence > after)
        .sort((a, b) => a.eventSequence - b.eventSequence)
        .slice(0, options.pageRows);
      const snapshot = head;
      const through =
        changes.length < options.pageRows ? snapshot : (changes.at(-1)?.eventSequence ?? snapshot);
      await options.delay();
      return { after, through, head: snapshot, changes };
    },
  };
}

const subscriber: Subscriber = {
  subscribe: () => Bun.sleep(0),
  unsubscribe: async () => {},
  onNotifications() {},
  onReconnect() {},
  ready: () => true,
};

async function plainConnect(sequencer: Sequencer, who: Member, readHead: () => Promise<number>) {
  for (;;) {
    const readAt = sequencer.now();
    const head = await readHead();
    if (!(await sequencer.hold(who, [chatId], readAt))) continue;
    if (!sequencer.enter(who, chatId, head)) await sequencer.join(who, chatId, head);
    return head;
  }
}

describe('sequencer', () => {
  test.each(Array.from({ length: 100 }, (_, seed) => [seed + 1]))(
    'every member is told everything after its cursor once and in order, whatever happens to the hints (seed %i)',
    async (seed) => {
      const random = createRandom(seed).next;
      const delay = async () => {
        const turns = Math.floor(random() * 4);
        for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      };
      const database = fakeDatabase({ pageRows: 5, delay, fails: () => random() < 0.05 });
      const sequencer = createSequencer({
        metrics: createMetrics(),
        // Where others ask for an earlier page at the same time, it is theirs.
        readPage: (id, after) => database.readPage(id, Math.max(0, after - Math.floor(random() * 3))),
        subscriber,
        fanOut,
        log,
        onAdded() {},
      });
      const joined: { who: FakeMember; from: number }[] = [];
      const joins: Promise<void>[] = [];

      const joinOne = async () => {
        const who = member(`user ${joined.length}`);
        const resume = random() < 0.5;
        try {
          if (resume) {
            const from = Math.floor(random() * (database.head + 1));
            await sequencer.hold(who, [chatId], 0);
            await sequencer.join(who, chatId, from);
            joined.push({ who, from });
          } else {
            const readHead = async () => {
              const { head } = database;
              await delay();
              return head;
            };
            joined.push({ who, from: await plainConnect(sequencer, who, readHead) });
          }
        } catch {
          // The database was away: the socket is closed, and was in no room.
          expect(who.chats.size).toBe(0);
        }
      };

      const late: (() => void)[] = [];
      for (let step = 0; step < 300; step += 1) {
        const dice = random();
        if (dice < 0.06 && joins.length < 30) joins.push(joinOne());
        const change =
          random() < 0.9 ? database.message('somebody') : database.participant(`p${step % 3}`, dice < 0.5);
        const announce = () =>
          change.event === 'chat.message.new'
            ? sequencer.offer(chatId, change)
            : sequencer.hint(chatId, change.eventSequence);
        if (dice < 0.6) announce();
        else if (dice < 0.8) late.push(announce);
        if (dice > 0.5 && dice < 0.7) announce();
        if (random() < 0.1) for (const one of late.splice(0)) one();
        if (random() < 0.02) sequencer.hint(chatId, Number.MAX_SAFE_INTEGER);
        if (random() < 0.3) await delay();
      }
      await Promise.all(joins);
      sequencer.hint(chatId, database.head);
      await eventually('all is delivered', () => {
        const delivered = sequencer.delivered().get(chatId);
        return delivered === undefined || delivered === database.head;
      });

      expect(joined.length).toBeGreaterThan(0);
      for (const { who, from } of joined) {
        expect(who.numbers).toEqual([...new Set(who.numbers)].sort((a, b) => a - b));
        expect(who.numbers.every((one) => one > from)).toBe(true);
        // Rows changed again carry their last number: the earlier ones may or may not have been told.
        const told = new Set(who.numbers);
        expect(database.numbersAfter(from).filter((one) => !told.has(one))).toEqual([]);
      }
    },
  );

  const opened = (database: ReturnType<typeof fakeDatabase>, onAdded: (userId: string) => void = () => {}) =>
    createSequencer({
      metrics: createMetrics(),
      readPage: database.readPage,
      subscriber,
      fanOut,
      log,
      onAdded,
    });

  test('the removed are told nothing numbered after their removal, though its hint is lost', async () => {
    const database = fakeDatabase({ pageRows: 100, delay: () => Bun.sleep(1) });
    const sequencer = opened(database);
    const [ada, eve] = [member('ada'), member('eve')];
    for (const who of [ada, eve]) await plainConnect(sequencer, who, async () => database.head);
    sequencer.offer(chatId, database.message('ada'));
    database.participant('eve', false);
    for (let at = 0; at < 5; at += 1) sequencer.offer(chatId, database.message('ada'));
    await eventually('the others are told', () => ada.numbers.length === 7);
    expect(eve.numbers).toEqual([1, 2]);
    expect(eve.chats.size).toBe(0);
  });

  test('while it is read who still is in the room, nobody is: neither for what passes nor for who has read', async () => {
    const database = fakeDatabase({ pageRows: 100, delay: () => Bun.sleep(1) });
    const sequencer = opened(database);
    const [ada, eve] = [member('ada'), member('eve')];
    for (const who of [ada, eve]) await plainConnect(sequencer, who, async () => database.head);
    expect([...sequencer.room(chatId)]).toEqual([ada, eve]);
    sequencer.hint(chatId, database.participant('eve', false).eventSequence);
    expect([...sequencer.room(chatId)]).toEqual([]);
    await eventually('it is read', () => ada.numbers.length === 1);
    await eventually('the room is there again', () => [...sequencer.room(chatId)].length > 0);
    expect([...sequencer.room(chatId)]).toEqual([ada]);
  });

  test('who was removed while joining never gets in', async () => {
    const database = fakeDatabase({ pageRows: 100, delay: () => Bun.sleep(1) });
    const sequencer = opened(database);
    const [ada, eve] = [member('ada'), member('eve')];
    await plainConnect(sequencer, ada, async () => database.head);
    await plainConnect(sequencer, eve, async () => {
      const { head } = database;
      const removal = database.participant('eve', false);
      sequencer.hint(chatId, removal.eventSequence);
      await eventually('the room knows', () => sequencer.delivered().get(chatId) === removal.eventSequence);
      return head;
    });
    sequencer.offer(chatId, database.message('ada'));
    expect(ada.numbers).toEqual([1, 2]);
    expect(eve.numbers).toEqual([1]);
    expect(eve.chats.size).toBe(0);
  });

  test('a removal that was read when the room was not so far takes nobody out, one of a restored database does', async () => {
    const database = fakeDatabase({ pageRows: 100, delay: () => Bun.sleep(1) });
    const sequencer = opened(database);
    const eve = member('eve');
    await plainConnect(sequencer, eve, async () => database.head);
    database.participant('eve', false);
    sequencer.hint(chatId, database.participant('eve', true).eventSequence);
    await eventually('she is told', () => eve.numbers.length === 1);
    sequencer.removed('eve', chatId, 1, 1);
    expect([...sequencer.room(chatId)]).toEqual([eve]);
    sequencer.restored(chatId, 2, 1);
    sequencer.removed('eve', chatId, 1, 1);
    expect([eve.numbers, eve.chats.size]).toEqual([[2, 1], 0]);
  });

  test('of several who go together each gets the one event, and nothing after it; the others go on', async () => {
    const added: string[] = [];
    const database = fakeDatabase({ pageRows: 3, delay: () => Bun.sleep(1) });
    const sequencer = opened(database, (userId) => added.push(userId));
    const [ada, bob, eve] = [member('ada'), member('bob'), member('eve')];
    for (const who of [ada, bob, eve]) {
      await sequencer.hold(who, [chatId], 0);
      sequencer.enter(who, chatId, 0);
    }
    database.message('ada');
    database.participants(['bob', 'eve'], false);
    database.participants(['cem', 'dee'], true);
    sequencer.hint(chatId, database.message('ada').eventSequence);
    await eventually('ada has everything', () => ada.numbers.length === 4);
    expect([ada, bob, eve].map((who) => who.numbers)).toEqual([
      [1, 2, 3, 4],
      [1, 2],
      [1, 2],
    ]);
    expect(added).toEqual(['cem', 'dee']);
  });

  test('a chat is introduced with the number before the first message that follows, else with its own', async () => {
    const database = fakeDatabase({ pageRows: 3, delay: () => Bun.sleep(1) });
    const sequencer = opened(database);
    const join = async (from: number, through: number) => {
      const who = member(`user ${crypto.randomUUID()}`);
      await sequencer.hold(who, [chatId], 0);
      const frame = (eventSequence: number) => `42["chat.created",${JSON.stringify({ eventSequence })}]`;
      await sequencer.join(who, chatId, from, { introduction: { through, frame } });
      return who.numbers;
    };
    for (const name of ['a', 'b', 'c', 'd', 'e']) database.participant(name, true);
    expect(await join(0, 5)).toEqual([5]);
    database.message('a');
    database.participant('f', true);
    database.message('b');
    expect(await join(0, 5)).toEqual([5, 6, 7, 8]);
    // Among what the chat object holds there are messages: they are told, and all that comes after the first of them.
    expect(await join(0, 8)).toEqual([5, 6, 7, 8]);
    expect(await join(6, 8)).toEqual([7, 8]);
    expect(await join(8, 8)).toEqual([8]);
  });

  test('who may be told no more is reset where it goes live, but is told of its own removal', async () => {
    const database = fakeDatabase({ pageRows: 4, delay: () => Bun.sleep(1) });
    const sequencer = opened(database);
    const join = async (userId: string) => {
      const who = member(userId);
      let left = 3;
      const mayTell = () => {
        left -= 1;
        return left >= 0;
      };
      await sequencer.hold(who, [chatId], 0);
      await sequencer.join(who, chatId, 0, { mayTell });
      return who;
    };
    for (let at = 0; at < 10; at += 1) database.message('somebody');
    const ada = await join('ada');
    expect(ada.numbers).toEqual([1, 2, 3, 10]);
    sequencer.offer(chatId, database.message('somebody'));
    expect(ada.numbers).toEqual([1, 2, 3, 10, 11]);
    database.participant('eve', false);
    const eve = await join('eve');
    expect(eve.numbers).toEqual([1, 2, 3, 12]);
    expect(eve.chats.size).toBe(0);
  });

  test('a room that is told more than there is begins again where the database is', async () => {
    const database = fakeDatabase({ pageRows: 100, delay: () => Bun.sleep(1) });
    const sequencer = opened(database);
    const ada = member('ada');
    await plainConnect(sequencer, ada, async () => 7);
    const late = member('late');
    for (let at = 0; at < 3; at += 1) database.message('somebody');
    await sequencer.hold(late, [chatId], 0);
    await sequencer.join(late, chatId, 1);
    expect([ada.numbers, late.numbers]).toEqual([[3], [2, 3]]);
    sequencer.restored(chatId, 3, 2);
    expect([ada.numbers, late.numbers]).toEqual([
      [3, 2],
      [2, 3, 2],
    ]);
    // Asked before it got so far: no news.
    sequencer.restored(chatId, 1, 1);
    expect(ada.numbers).toEqual([3, 2]);
    sequencer.hint(chatId, 3);
    await eventually('it is filled again', () => ada.numbers.length === 3);
    expect(ada.numbers).toEqual([3, 2, 3]);
  });

  test('a join whose read is older than the room reads on', async () => {
    const slow = Promise.withResolvers<void>();
    let reads = 0;
    const database = fakeDatabase({ pageRows: 100, delay: async () => {} });
    for (let at = 0; at < 3; at += 1) database.message('bob');
    const sequencer = createSequencer({
      metrics: createMetrics(),
      async readPage(id, after) {
        reads += 1;
        const page = await database.readPage(id, after);
        if (reads === 1) await slow.promise;
        return page;
      },
      subscriber,
      fanOut,
      log,
      onAdded() {},
    });
    const [ada, bob] = [member('ada'), member('bob')];
    await sequencer.hold(ada, [chatId], 0);
    const joined = sequencer.join(ada, chatId, 0);
    await eventually('the first read has its snapshot', () => reads === 1);
    for (let at = 0; at < 2; at += 1) database.message('bob');
    await plainConnect(sequencer, bob, async () => database.head);
    sequencer.offer(chatId, database.message('bob'));
    slow.resolve();
    await joined;
    sequencer.offer(chatId, database.message('bob'));
    expect(ada.numbers).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(bob.numbers).toEqual([6, 7]);
  });

  test('nothing is read while notifications continue what was delivered', async () => {
    let reads = 0;
    const database = fakeDatabase({ pageRows: 100, delay: async () => {} });
    const sequencer = createSequencer({
      metrics: createMetrics(),
      readPage: (id, after) => {
        reads += 1;
        return database.readPage(id, after);
      },
      subscriber,
      fanOut,
      log,
      onAdded() {},
    });
    const ada = member('ada');
    await plainConnect(sequencer, ada, async () => database.head);
    for (let at = 0; at < 1_000; at += 1) sequencer.offer(chatId, database.message('bob'));
    expect(ada.numbers).toHaveLength(1_000);
    expect(reads).toBe(0);
  });

  /** A room with one member at the database's head, and how often PostgreSQL was asked since. */
  async function roomOf(database: ReturnType<typeof fakeDatabase>) {
    const asked = { reads: 0 };
    const sequencer = createSequencer({
      metrics: createMetrics(),
      readPage: (id, after) => {
        asked.reads += 1;
        return database.readPage(id, after);
      },
      subscriber,
      fanOut,
      log,
      onAdded() {},
    });
    const ada = member('ada');
    await plainConnect(sequencer, ada, async () => database.head);
    return { sequencer, ada, asked };
  }
  const prompt = () => fakeDatabase({ pageRows: 100, delay: async () => {} });
  const messages = (database: ReturnType<typeof fakeDatabase>, count: number) =>
    Array.from({ length: count }, () => database.message('bob'));

  test('what two processes announce swapped goes out in the tick in which the gap closes, and nothing is read', async () => {
    const database = prompt();
    const { sequencer, ada, asked } = await roomOf(database);
    const [first, second, third, fourth, fifth] = messages(database, 5);
    sequencer.offer(chatId, second!);
    sequencer.offer(chatId, second!);
    sequencer.offer(chatId, fifth!);
    sequencer.offer(chatId, third!);
    expect(ada.numbers).toEqual([]);
    sequencer.offer(chatId, first!);
    expect(ada.numbers).toEqual([1, 2, 3]);
    sequencer.offer(chatId, third!);
    sequencer.offer(chatId, fourth!);
    expect(ada.numbers).toEqual([1, 2, 3, 4, 5]);
    await Bun.sleep(2 * heldMs);
    expect([asked.reads, ada.numbers.length]).toEqual([0, 5]);
  });

  test('a gap that stays is read when it has lasted so long, once, and what comes then is a repeat', async () => {
    const database = prompt();
    const { sequencer, ada, asked } = await roomOf(database);
    const [first, second, third] = messages(database, 3);
    const began = performance.now();
    sequencer.offer(chatId, second!);
    sequencer.offer(chatId, third!);
    await eventually('it is filled', () => ada.numbers.length === 3);
    // A timer may be a little early.
    expect(performance.now() - began).toBeGreaterThan(heldMs - 2);
    for (const late of [first, second, third]) sequencer.offer(chatId, late!);
    await Bun.sleep(2 * heldMs);
    expect([asked.reads, ada.numbers]).toEqual([1, [1, 2, 3]]);
  });

  test('of one gap after the other each has its time: a busy room is not read for what is a moment late', async () => {
    const database = prompt();
    const { sequencer, ada, asked } = await roomOf(database);
    let late = database.message('bob');
    for (const until = performance.now() + 5 * heldMs; performance.now() < until; await Bun.sleep(1)) {
      const early = database.message('bob');
      sequencer.offer(chatId, early);
      sequencer.offer(chatId, late);
      late = database.message('bob');
      sequencer.offer(chatId, database.message('bob'));
      sequencer.offer(chatId, late);
      late = database.message('bob');
    }
    sequencer.offer(chatId, late);
    expect(ada.numbers).toEqual(database.numbersAfter(0));
    expect(asked.reads).toBe(0);
  });

  test('beyond so many that are held PostgreSQL is asked at once', async () => {
    const database = prompt();
    const { sequencer, ada, asked } = await roomOf(database);
    const [, ...beyond] = messages(database, mostHeld + 2);
    for (const one of beyond.slice(0, mostHeld)) sequencer.offer(chatId, one);
    expect(asked.reads).toBe(0);
    sequencer.offer(chatId, beyond.at(-1)!);
    expect(asked.reads).toBe(1);
    await eventually('it is filled', () => ada.numbers.length === mostHeld + 2);
    expect(asked.reads).toBe(1);
  });

  test('a bare hint does not wait, and what was held meanwhile goes on where the page ends', async () => {
    const answered = Promise.withResolvers<void>();
    let calls = 0;
    const database = fakeDatabase({
      pageRows: 100,
      // The snapshot is taken at once.
      delay: async () => {
        calls += 1;
        if (calls === 2) await answered.promise;
      },
    });
    const { sequencer, ada, asked } = await roomOf(database);
    messages(database, 2);
    sequencer.hint(chatId, 2);
    await eventually('it is asked', () => calls === 2);
    const [third, fourth, , sixth] = messages(database, 4);
    for (const one of [sixth, fourth, third]) sequencer.offer(chatId, one!);
    answered.resolve();
    await eventually('the page is told', () => ada.numbers.length > 0);
    expect([asked.reads, ada.numbers]).toEqual([1, [1, 2, 3, 4]]);
    await eventually('the rest is read', () => ada.numbers.length === 6);
    expect([asked.reads, ada.numbers]).toEqual([2, [1, 2, 3, 4, 5, 6]]);
  });

  test('nothing is held for a chat that nobody is in any more, nor for a database that was restored', async () => {
    const database = prompt();
    const { sequencer, ada, asked } = await roomOf(database);
    const [first, second, , fourth] = messages(database, 4);
    sequencer.offer(chatId, first!);
    sequencer.offer(chatId, fourth!);
    sequencer.restored(chatId, 1, 0);
    expect(ada.numbers).toEqual([1, 0]);
    sequencer.offer(chatId, second!);
    sequencer.leave(ada, chatId);
    await Bun.sleep(2 * heldMs);
    expect([asked.reads, ada.numbers]).toEqual([0, [1, 0]]);
  });

  async function announcedAnyhow(seed: number): Promise<void> {
    const random = createRandom(seed).next;
    const database = fakeDatabase({ pageRows: 7, delay: () => Bun.sleep(random() * 3) });
    const { sequencer, ada } = await roomOf(database);
    const bob = member('bob');
    await plainConnect(sequencer, bob, async () => database.head);
    const [lossy, distance] = [random() < 0.5, 1 + Math.floor(random() * 2 * mostHeld)];
    const announcements: { at: number; change: Change }[] = [];
    for (let step = 0; step < 600; step += 1) {
      if (step < 400) {
        const change = database.message('cem');
        const later = (most: number) => ({ at: step + Math.floor(random() * most), change });
        if (!lossy || random() > 0.05) announcements.push(later(distance));
        if (random() < 0.1) announcements.push(later(50));
      }
      for (const { at, change } of announcements) if (at === step) sequencer.offer(chatId, change);
      if (random() < 0.02) await Bun.sleep(random() * 2 * heldMs);
    }
    // What is lost at the end the next comparison finds.
    if (lossy) sequencer.hint(chatId, database.head);
    await eventually('all is told', () => sequencer.delivered().get(chatId) === database.head);
    expect(ada.numbers).toEqual(database.numbersAfter(0));
    expect(bob.numbers).toEqual(ada.numbers);
  }

  test('announcements in any order, lost and doubled: each socket is told every number once, in order', async () => {
    await Promise.all(Array.from({ length: 50 }, (_, seed) => announcedAnyhow(seed + 1)));
  });

  test('a gap that is filled is one line of the log, quiet where it is participants alone', async () => {
    const lines: { level: string; chatId: string; rows: number; messages: number; msg: string }[] = [];
    const database = fakeDatabase({ pageRows: 3, delay: () => Bun.sleep(1) });
    const sequencer = createSequencer({
      metrics: createMetrics(),
      readPage: database.readPage,
      subscriber,
      fanOut,
      log: createLog({ logLevel: 'debug' }, 'test', { write: (line) => lines.push(JSON.parse(line)) }),
      onAdded() {},
    });
    const ada = member('ada');
    await plainConnect(sequencer, ada, async () => database.head);
    sequencer.offer(chatId, database.message('bob'));
    expect(lines).toEqual([]);

    for (let at = 0; at < 3; at += 1) database.message('bob');
    database.participant('cem', true);
    sequencer.offer(chatId, database.message('bob'));
    await eventually('it is filled', () => lines.length === 1);
    sequencer.hint(chatId, database.participant('cem', false).eventSequence);
    await eventually('it is filled again', () => lines.length === 2);
    expect(lines).toMatchObject([
      { level: 'info', msg: gapFilled, chatId, rows: 5, messages: 4 },
      { level: 'debug', msg: gapFilled, chatId, rows: 1, messages: 0 },
    ]);
    // What is not there is no gap.
    sequencer.hint(chatId, Number.MAX_SAFE_INTEGER);
    await database.readPage(chatId, 0);
    expect([lines.length, ada.numbers.length]).toEqual([2, 7]);
  });

  test('the last member to leave ends the chat here', async () => {
    const unsubscribed: string[] = [];
    const database = fakeDatabase({ pageRows: 100, delay: async () => {} });
    const sequencer = createSequencer({
      metrics: createMetrics(),
      readPage: database.readPage,
      subscriber: {
        ...subscriber,
        async unsubscribe(topics) {
          unsubscribed.push(...topics);
        },
      },
      fanOut,
      log,
      onAdded() {},
    });
    const [ada, bob] = [member('ada'), member('bob')];
    for (const who of [ada, bob]) await plainConnect(sequencer, who, async () => database.head);
    sequencer.leave(ada, chatId);
    expect(unsubscribed).toEqual([]);
    sequencer.leave(bob, chatId);
    expect(unsubscribed).toEqual(['chat:chat']);
    expect(sequencer.delivered().size).toBe(0);
  });
});
