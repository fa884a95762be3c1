import { describe, expect, test } from 'bun:test';
import { toJsonSchema } from '@valibot/to-json-schema';
import * as v from 'valibot';
import { createNotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import { changesPage } from '../../src/api/schemas/changes.ts';
import { changeNotification } from '../../src/changes/announce.ts';
import type { ChangeKind } from '../../src/changes/kind.ts';
import { kinds } from '../../src/changes/kinds.ts';
import { createReadChanges } from '../../src/changes/read-changes.ts';
import { createGetChanges } from '../../src/chat/get-changes.ts';
import { createReadPage } from '../../src/gateway/change.ts';
import { createFanOut } from '../../src/gateway/fan-out.ts';
import { createMember, type Member } from '../../src/gateway/member.ts';
import { createNotificationRoutes } from '../../src/gateway/notification-routes.ts';
import { createSequencer } from '../../src/gateway/sequencer.ts';
import type { ChatChange, ServerToClientEvents } from '../../src/shared/contract.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { Notification } from '../../src/shared/ports/notifications.ts';
import { counter, id } from '../../src/shared/schemas.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { createWorld } from '../support/gateway-world.ts';

// A kind that there is not, written as one would be: its event in the contract, a file, a line in the table, a migration, a verb.

type Name = ChatChange['event'];
const [closed, closedByYou] = ['chat.poll.closed', 'chat.poll.closed-by-you'] as unknown as [
  keyof typeof kinds,
  keyof typeof kinds,
];

interface Poll {
  question: string;
  closedBy: string;
}

interface PollEvent {
  chatId: string;
  poll: Poll;
  eventSequence: number;
}

const poll = {
  payload: v.object({
    chatId: id,
    poll: v.object({ question: v.string(), closedBy: id }),
    eventSequence: counter,
  }),
  believed: true,
  rows: `SELECT p.event_sequence AS "eventSequence",
    json_build_object('question', p.question, 'closedBy', p.closed_by) AS row
  FROM polls p WHERE p.chat_id = c.id AND p.event_sequence > w.after
  ORDER BY p.event_sequence FETCH FIRST ($3::int) ROWS WITH TIES`,
  tell: ({ chatId, eventSequence }, [row]) => ({
    ...{ chatId, eventSequence, event: closed, actorId: row.closedBy, actorEvent: closedByYou },
    payload: { chatId, poll: row, eventSequence },
  }),
} satisfies ChangeKind<PollEvent, Poll>;

const withPolls = { ...kinds, [closed]: poll, [closedByYou]: poll };

const { database, subscriber, presence, ...base } = await embeddedBase();
const world = await createWorld({ database, ...base });
await database.query(
  `CREATE TABLE polls (chat_id uuid, question text, closed_by uuid, event_sequence bigint,
    PRIMARY KEY (chat_id, event_sequence))`,
  [],
);
const log = createLog({ logLevel: 'silent' }, 'test');
const codec = createNotificationCodec('the key of this test');
const readChanges = createReadChanges(withPolls, { database, presence });
const [ada, bob] = await world.newUsers(2);

/** The verb. */
async function closePolls(chatId: string, closedBy: string, questions: readonly string[]) {
  const notifications: Notification[] = [];
  for (const question of questions) {
    const [chat] = await database.query<{ eventSequence: number }>(
      `WITH numbered AS (
        UPDATE chats SET last_event_sequence = last_event_sequence + 1 WHERE id = $1::uuid
        RETURNING id, last_event_sequence
      ) INSERT INTO polls SELECT id, $2, $3::uuid, last_event_sequence FROM numbered
      RETURNING event_sequence AS "eventSequence"`,
      [chatId, question, closedBy],
    );
    const told = poll.tell({ chatId, eventSequence: chat!.eventSequence }, [{ question, closedBy }]);
    notifications.push(changeNotification(told));
  }
  return notifications;
}

const parsed = (frame: string): [Name, PollEvent] => JSON.parse(frame.slice(frame.indexOf('[')));

type Heard = Member & { events: [Name, PollEvent][] };

function memberOf(userId: string): Heard {
  const events: [Name, PollEvent][] = [];
  return {
    ...{
      userId,
      sessionId: undefined,
      expiresAt: 0,
      socketId: crypto.randomUUID(),
      chats: new Set<string>(),
    },
    ...{
      live: true,
      hides: false,
      stale: false,
      refused: undefined,
      closed: false,
      close() {},
      removed() {},
    },
    events,
    send: (frame) => events.push(parsed(frame)),
    pass: (frame) => events.push(parsed(frame)),
  };
}

/** As a gateway has it, from the bytes of Redis to the frames. */
function gateway() {
  const sequencer = createSequencer({
    metrics: createMetrics(),
    readPage: createReadPage(readChanges),
    subscriber,
    fanOut: createFanOut({ publish() {}, socketsOf: () => new Set() }),
    log,
    onAdded() {},
  });
  const never = () => expect.unreachable();
  const unused = {
    ...{ users: {} as never, sessions: {} as never, ownMemberships: {} as never, receipts: {} as never },
    ...{ watchMembership: never, compareUser: never },
  };
  const route = createNotificationRoutes({ sequencer, ...unused, log });
  return {
    async join(userId: string, chatId: string, from: number) {
      const member = memberOf(userId);
      await sequencer.hold(member, [chatId], 0);
      await sequencer.join(member, chatId, from);
      return member;
    },
    hear(notifications: readonly Notification[]) {
      route(notifications.map((one) => codec.decode(one.topic, codec.encode(one))!));
    },
  };
}

test('it is described with all of its names', async () => {
  const shown = JSON.stringify(toJsonSchema(changesPage(withPolls)));
  expect(shown).toContain('"enum":["chat.poll.closed","chat.poll.closed-by-you"]');
  expect(shown).toContain('"required":["question","closedBy"]');
});

test('live, after a gap, at a resume and by REST it is the same events, the actor told by another name', async () => {
  const { id: chatId, eventSequence: start } = await world.newGroup(ada!, bob!);
  const { join, hear } = gateway();
  const [adas, bobs] = [await join(ada!.id, chatId, start), await join(bob!.id, chatId, start)];

  hear(await closePolls(chatId, ada!.id, ['Tea?']));
  // Passed on in the same tick: nothing was read.
  expect(bobs.events).toHaveLength(1);
  const { notification } = await world.send(bob!, chatId, 'Tea it is', { silent: true });
  const [, second] = await closePolls(chatId, ada!.id, ['When?', 'Where?']);
  hear([notification, second!]);
  const resumed = await join(bob!.id, chatId, start);

  const expected = ['Tea?', undefined, 'When?', 'Where?'].map((question, at) => [
    question ? closed : 'chat.message.saved',
    expect.objectContaining({
      ...{ chatId, eventSequence: start + 1 + at },
      ...(question ? { poll: { question, closedBy: ada!.id } } : {}),
    }),
  ]);
  expect<unknown>(bobs.events).toEqual(expected);
  expect<unknown>(resumed.events).toEqual(bobs.events);
  expect<string[]>(adas.events.map(([name]) => name)).toEqual([
    ...[closedByYou, 'chat.message.new', closedByYou, closedByYou],
  ]);
  for (const { userId, events } of [adas, bobs]) {
    const { data } = await createGetChanges(readChanges)({ chatId, userId, after: start });
    expect<unknown>(data.map(({ event, payload }) => [event, payload])).toEqual(events);
  }
});

test('what says who takes part is read, whatever a notification has', async () => {
  const { id: chatId, eventSequence } = await world.newGroup(ada!, bob!);
  const { join, hear } = gateway();
  const bobs = await join(bob!.id, chatId, eventSequence);
  const head = { version: 1, kind: 'change', chatId, eventSequence: eventSequence + 1 } as const;
  hear([{ topic: `chat:${chatId}`, head: { ...head, event: 'chat.participant.removed' }, body: '{}' }]);
  await join(ada!.id, chatId, eventSequence);
  expect(bobs.events).toEqual([]);
});

test('what is not numbered goes once to all in the chat but who does it, and not to who is behind', async () => {
  const { id: chatId, eventSequence } = await world.newGroup(ada!, bob!);
  const { join, hear } = gateway();
  const [adas, bobs] = [
    await join(ada!.id, chatId, eventSequence),
    await join(bob!.id, chatId, eventSequence),
  ];
  const event = 'chat.poll.opened' as Name & keyof ServerToClientEvents;
  const opened: Notification = {
    topic: `chat:${chatId}`,
    head: { version: 1, kind: 'passing', event, actorId: ada!.id },
    body: `{"chatId":"${chatId}"}`,
  };
  const elsewhere = crypto.randomUUID();
  hear([opened, { ...opened, topic: `chat:${elsewhere}` }, opened]);
  expect<unknown>(bobs.events).toEqual([
    [event, { chatId }],
    [event, { chatId }],
  ]);
  expect(adas.events).toEqual([]);

  const carrier = { ws: undefined, backlog: 64 * 1024, frames: [] as string[], close() {} };
  const identity = { userId: bob!.id, sessionId: undefined, expiresAt: 0 };
  const slow = createMember({ ...carrier, send: (frame) => carrier.frames.push(frame) }, 'slow', identity);
  slow.pass('told');
  const slower = createMember(
    { ...carrier, backlog: carrier.backlog + 1, send: expect.unreachable },
    '',
    identity,
  );
  slower.pass('never');
  expect(carrier.frames).toEqual(['told']);
});

describe('what has a row in chat_changes', () => {
  /** Whoever writes it: the thing has one row, which is moved on. */
  const change = (chatId: string, kind: string, key: number, eventSequence: number) =>
    database.query(
      `WITH numbered AS (
        UPDATE chats SET last_event_sequence = greatest(last_event_sequence, $4::bigint) WHERE id = $1::uuid
      ) INSERT INTO chat_changes (chat_id, kind, key, event_sequence) VALUES ($1::uuid, $2, $3::bigint, $4::bigint)
      ON CONFLICT (chat_id, kind, key) DO UPDATE SET event_sequence = excluded.event_sequence`,
      [chatId, kind, key, eventSequence],
    );
  const renamed = {
    payload: v.object({
      chatId: id,
      poll: v.object({ question: v.string(), closedBy: id }),
      eventSequence: counter,
    }),
    believed: true,
    changedKind: 'poll',
    row: `SELECT json_build_object('question', changed.key::text, 'closedBy', c.id) WHERE changed.key < 100`,
    tell: poll.tell,
  } satisfies ChangeKind<PollEvent, Poll>;
  const read = createReadChanges({ ...kinds, [closed]: renamed }, { database, presence });
  const told = async (chatId: string, after: number, limit = 100) => {
    const [page] = await read([{ chatId, after }], limit);
    return {
      through: page!.through,
      changes: page!.changes.map(({ event, eventSequence, payload }) => [
        event,
        eventSequence,
        (payload as Partial<PollEvent>).poll?.question,
      ]),
    };
  };

  test('comes once, as it is now, under the number of its last change', async () => {
    const { id: chatId, eventSequence: start } = await world.newGroup(ada!, bob!);
    await change(chatId, 'poll', 1, start + 1);
    await change(chatId, 'poll', 2, start + 2);
    await change(chatId, 'poll', 1, start + 3);
    expect((await told(chatId, start)).changes).toEqual([
      [closed, start + 2, '2'],
      [closed, start + 3, '1'],
    ]);
    expect((await told(chatId, start + 2)).changes).toEqual([[closed, start + 3, '1']]);
  });

  test('a page ends between numbers, never within one', async () => {
    const { id: chatId, eventSequence: start } = await world.newGroup(ada!, bob!);
    await change(chatId, 'poll', 1, start + 1);
    for (const key of [2, 3, 4]) await change(chatId, 'poll', key, start + 2);
    await change(chatId, 'poll', 5, start + 3);
    const page = await told(chatId, start, 2);
    expect(page.changes).toHaveLength(4);
    expect(page.through).toBe(start + 2);
    expect((await told(chatId, page.through, 2)).changes).toEqual([[closed, start + 3, '5']]);
  });

  test('what only a newer version knows is not left out: the chat is to be read again, once a page', async () => {
    const { id: chatId, eventSequence: start } = await world.newGroup(ada!, bob!);
    await change(chatId, 'of a newer version', 1, start + 1);
    // One that is not there any more.
    await change(chatId, 'poll', 100, start + 1);
    await change(chatId, 'poll', 1, start + 2);
    await change(chatId, 'of a newer version', 2, start + 3);
    await change(chatId, 'poll', 2, start + 4);
    expect((await told(chatId, start)).changes).toEqual([
      [closed, start + 2, '1'],
      ['chat.sync.reset', start + 3, undefined],
      [closed, start + 4, '2'],
    ]);
    const { join } = gateway();
    const bobs = await join(bob!.id, chatId, start);
    expect<unknown>(bobs.events).toEqual([['chat.sync.reset', { chatId, eventSequence: start + 4 }]]);
  });
});
