import { afterAll, expect, test } from 'bun:test';
import { randomUUID } from 'node:crypto';
import { io } from 'socket.io-client';
import type { Deployment } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { type Ears, newPerson, type Person } from '../support/people.ts';
import type { Processes } from '../support/processes.ts';

/** Of the deployments that the suite runs on. */
export const serviceToken = 'the token of the backend of this product';

/** What must work the same in one process and in three. */
export function pipelineSuite({
  processes,
  deployment,
  placesOf,
}: {
  processes: Processes;
  deployment: Deployment;
  /** Where on the servers this word is found, once the queues are drained. */
  placesOf?: (word: string) => Promise<string[]>;
}): void {
  const open: Ears[] = [];
  afterAll(() => {
    for (const ears of open) ears.close();
  });
  const connect = async (person: Person, options?: Parameters<Person['connect']>[0]): Promise<Ears> => {
    const ears = await person.connect(options);
    open.push(ears);
    return ears;
  };
  const twoPeople = () =>
    Promise.all([newPerson(deployment, 'ada'), newPerson(deployment, 'bob')]) as Promise<[Person, Person]>;

  test('the checklist passes, and that of everything', async () => {
    const command = [
      'src/commands/checklist.ts',
      '--api',
      deployment.apiUrl,
      '--socket',
      deployment.socketUrl,
    ];
    const [six, all, withToken, withOther] = await Promise.all([
      processes.finish(command),
      processes.finish([...command, '--all']),
      processes.finish([...command, '--all'], { SERVICE_TOKEN: `${serviceToken}, ${serviceToken} too` }),
      processes.finish([...command, '--all'], {
        SERVICE_TOKEN: 'the token of the backend of another product',
      }),
    ]);
    expect(all?.output).toMatch(/^– 20\. The backend .+ {2}left out\n +it wants SERVICE_TOKEN/m);
    expect(withOther?.output).toMatch(/^✗ 20\. The backend .+\n.+ answered 401 .+token_invalid/m);
    expect(withOther?.output).toContain('Is SERVICE_TOKEN one of the api’s');
    expect(withOther?.code).toBe(1);
    for (const [run, said, steps] of [
      [six, 'All six steps work.', 6],
      [all, 'All six steps work, and the 15 after them; 1 is left out.', 21],
      [withToken, 'All six steps work, and the 16 after them.', 22],
    ] as const) {
      expect(run?.output).toContain(said);
      expect(run?.output.match(/^✓ \d+\. .+ {2}\d+ ms$/gm)).toHaveLength(steps);
      expect(run?.code).toBe(0);
    }
  }, 40_000);

  test('a message reaches everybody once, its sender as saved', async () => {
    const [ada, bob] = await twoPeople();
    const chat = await ada.newChat(bob);
    const [adaHears, bobHears] = await Promise.all([connect(ada), connect(bob)]);
    const clientMessageId = randomUUID();
    const accepted = await ada.send(chat.id, 'Hello', clientMessageId);
    expect(accepted).toEqual({ brokerMessageId: accepted.brokerMessageId, clientMessageId });

    const event = await bobHears.heard('Hello');
    expect(event).toEqual({
      chatId: chat.id,
      message: {
        id: accepted.brokerMessageId,
        chatId: chat.id,
        senderId: ada.id,
        content: 'Hello',
        messageType: 'text',
        status: 'sent',
        sequence: 1,
        sentAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        clientMessageId,
      },
      eventSequence: event.eventSequence,
    });
    await eventually('the sender hears saved', () => adaHears.saved.length > 0);
    expect(adaHears.saved).toEqual([event]);

    // What is heard after it proves that nothing more was under way.
    await bob.send(chat.id, 'Hello yourself');
    await adaHears.heard('Hello yourself');
    expect(adaHears.news).toHaveLength(1);
    expect(bobHears.news).toHaveLength(1);
    expect(await bob.history(chat.id)).toHaveLength(2);
  });

  test('messages sent one after the other arrive in that order, numbered without a gap', async () => {
    const [ada, bob] = await twoPeople();
    const chat = await ada.newChat(bob);
    const bobHears = await connect(bob);
    for (let at = 1; at <= 30; at += 1) await ada.send(chat.id, `message ${at}`);
    await bobHears.heard('message 30');
    expect(bobHears.news.map(({ message }) => message.content)).toEqual(
      Array.from({ length: 30 }, (_, at) => `message ${at + 1}`),
    );
    expect(bobHears.news.map(({ message }) => message.sequence)).toEqual(
      Array.from({ length: 30 }, (_, at) => at + 1),
    );
  });

  test('the same send a hundred times at once is one message, answered alike', async () => {
    const [ada, bob] = await twoPeople();
    const chat = await ada.newChat(bob);
    const bobHears = await connect(bob);
    const clientMessageId = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => ada.send(chat.id, 'once', clientMessageId)),
    );
    expect(new Set(answers.map(({ brokerMessageId }) => brokerMessageId)).size).toBe(1);
    await ada.send(chat.id, 'after');
    await bobHears.heard('after');
    expect(bobHears.news.map(({ message }) => message.content)).toEqual(['once', 'after']);
    expect((await bob.history(chat.id)).map(({ content }) => content)).toEqual(['once', 'after']);
  });

  test('the same clientMessageId with another body fails for the sender, and the first stands', async () => {
    const [ada, bob] = await twoPeople();
    const chat = await ada.newChat(bob);
    const adaHears = await connect(ada);
    const clientMessageId = randomUUID();
    const { brokerMessageId } = await ada.send(chat.id, 'the first', clientMessageId);
    await ada.send(chat.id, 'another', clientMessageId);
    const failed = () => adaHears.events.find(([name]) => name === 'chat.message.failed')?.[1];
    await eventually('the sender is told', () => failed() !== undefined);
    expect(failed()).toEqual({
      chatId: chat.id,
      clientMessageId,
      brokerMessageId,
      code: 'idempotency_conflict',
    });
    expect((await bob.history(chat.id)).map(({ content }) => content)).toEqual(['the first']);
  });

  test('a message is edited, reacted to and deleted for everybody, and what was said is nowhere any more', async () => {
    const [ada, bob] = await twoPeople();
    const chat = await ada.newChat(bob);
    const [adaHears, bobHears] = await Promise.all([connect(ada), connect(bob)]);
    const word = `word-${randomUUID()}`;
    const clientMessageId = randomUUID();
    const { brokerMessageId } = await ada.send(chat.id, `${word} first`, clientMessageId);
    await bobHears.heard(`${word} first`);
    const path = `/chats/${chat.id}/messages/${brokerMessageId}`;
    // An api knows what all others can load with its next beat.
    let edited = await ada.call('PATCH', path, { content: `${word} second` });
    await eventually('all are ready', async () => {
      if (edited.status === 503) edited = await ada.call('PATCH', path, { content: `${word} second` });
      return edited.status !== 503;
    });
    expect(edited).toMatchObject({ status: 200, body: { content: `${word} second` } });
    const key = `:${randomUUID().replaceAll('-', '')}:`;
    const reacted = await bob.call('PUT', `${path}/reactions/${key}`);
    const reactions = [{ key, count: 1, userIds: [bob.id] }];
    expect(reacted).toMatchObject({ status: 200, body: { reactions: [{ ...reactions[0], own: true }] } });
    expect((await ada.call('DELETE', path)).status).toBe(204);
    await ada.send(chat.id, `${word} first`, clientMessageId);
    const drained = `drained-${randomUUID()}`;
    await bob.send(chat.id, drained);
    await Promise.all([adaHears.heard(drained), eventually('it is saved', () => bobHears.saved.length > 0)]);
    for (const [ears, own] of [[adaHears, true] as const, [bobHears, false] as const]) {
      const about = ears.events.filter(([, { message, messageId }]) =>
        [message?.id, messageId].includes(brokerMessageId),
      );
      expect(about).toEqual([
        [own ? 'chat.message.saved' : 'chat.message.new', expect.anything()],
        [
          'chat.message.updated',
          { chatId: chat.id, message: edited.body, eventSequence: edited.body.version },
        ],
        [
          'chat.message.reactions',
          {
            ...{ chatId: chat.id, messageId: brokerMessageId, sequence: 1, reactions },
            ...{ by: [{ userId: bob.id, key, present: true }], eventSequence: reacted.body.eventSequence },
          },
        ],
        ['chat.message.deleted', expect.anything()],
      ]);
    }
    const again = await connect(bob, { cursors: { [chat.id]: chat.eventSequence } });
    await eventually('all is told', () => again.events.some(([name]) => name === 'chat.ready'));
    expect(again.events.map(([name, { message }]) => [name, message?.content])).toEqual([
      ...[
        ['chat.message.new', ''],
        ['chat.message.deleted', ''],
        ['chat.message.saved', drained],
      ],
      ['chat.ready', undefined],
    ]);
    expect((await bob.history(chat.id)).map(({ content }) => content)).toEqual(['', drained]);
    if (placesOf) {
      const places = await Promise.all([drained, word, key].map(placesOf));
      expect(places).toEqual([['messages'], [], []]);
    }
  });

  test('a group is deleted while messages are on their way: each was stored before or has failed, and nothing comes after it', async () => {
    const [ada, bob] = await twoPeople();
    const group = { participantUserIds: [bob.id], isGroup: true };
    const { body: chat } = await ada.call('POST', '/chats', group);
    const everybody = await Promise.all([connect(ada), connect(bob)]);
    const [adaHears, bobHears] = everybody;
    const word = `word-${randomUUID()}`;
    await bob.send(chat.id, word);
    await adaHears.heard(word);
    const path = `/chats/${chat.id}`;
    const say = (count: number) =>
      Array.from({ length: count }, (_, at) =>
        bob.call('POST', `${path}/messages`, { content: `${word} ${at}` }),
      );
    // An api knows what all others can load with its next beat.
    await eventually('all are ready', async () => (await ada.call('PATCH', path, {})).status !== 503);
    const sends = say(30);
    const ending = ada.call('DELETE', path);
    sends.push(...say(30));
    expect((await ending).status).toBe(204);

    const answers = await Promise.all(sends);
    const accepted = answers.flatMap(({ status, body }) => (status === 202 ? [body.brokerMessageId] : []));
    const refused = answers.filter(({ status }) => status !== 202).map(({ body }) => body.code);
    expect(refused).toEqual(refused.map(() => 'chat_not_found'));
    const fates = () => [
      ...bobHears.saved.slice(1).map(({ message }) => message.id),
      ...bobHears.events.flatMap(([name, { brokerMessageId, code }]) =>
        name === 'chat.message.failed' && code === 'chat_not_found' ? [brokerMessageId] : [],
      ),
    ];
    await eventually('the sender is told of each', () => fates().length >= accepted.length);
    expect(fates().toSorted()).toEqual(accepted.toSorted());

    const other = await ada.newChat(bob);
    await Promise.all([ada.send(other.id, 'fence'), bob.send(other.id, 'fence')]);
    await Promise.all(everybody.map((ears) => ears.heard('fence')));
    for (const [ears, { id }] of [[adaHears, ada] as const, [bobHears, bob] as const]) {
      const about = ears.events.filter(
        ([name, { chatId }]) => chatId === chat.id && name !== 'chat.message.failed',
      );
      const removals = about.filter(([name]) => name === 'chat.participant.removed');
      expect(removals.map(([, { participant }]) => participant.userId)).toEqual([id]);
      expect(about.at(-1)).toBe(removals[0]!);
    }
    // It finds no dead letter, either.
    expect((await placesOf?.(word)) ?? []).not.toContain('Redis');
  });

  test('a client with default options begins with polling, upgrades and receives', async () => {
    const [ada, bob] = await twoPeople();
    const chat = await ada.newChat(bob);
    const bobHears = await connect(bob, { transports: ['polling', 'websocket'] });
    await ada.send(chat.id, 'while polling');
    await bobHears.heard('while polling');
    await eventually('it has upgraded', () => bobHears.socket.io.engine.transport.name === 'websocket');
    await ada.send(chat.id, 'after the upgrade');
    await bobHears.heard('after the upgrade');
  });

  test('who is added hears the chat without reconnecting, who is removed hears no more', async () => {
    const [ada, bob] = await twoPeople();
    const eve = await newPerson(deployment, 'eve');
    const chat = await ada.newChat(bob, await newPerson(deployment, 'fay'));
    const eveHears = await connect(eve);
    const bobHears = await connect(bob);
    expect((await ada.call('POST', `/chats/${chat.id}/participants`, { userIds: [eve.id] })).status).toBe(
      200,
    );
    await eventually('she is told', () => eveHears.events.some(([name]) => name === 'chat.created'));
    await ada.send(chat.id, 'welcome');
    await eveHears.heard('welcome');
    expect((await ada.call('DELETE', `/chats/${chat.id}/participants/${eve.id}`)).status).toBe(204);
    await eventually('she is told', () =>
      eveHears.events.some(([name]) => name === 'chat.participant.removed'),
    );
    await ada.send(chat.id, 'without her');
    await bobHears.heard('without her');
    expect(eveHears.news.map(({ message }) => message.content)).toEqual(['welcome']);
    expect((await eve.call('GET', `/chats/${chat.id}`)).status).toBe(404);
  });

  test('a logout closes the sockets of the session, and keeps them out', async () => {
    const ada = await newPerson(deployment, 'ada');
    const adaHears = await connect(ada);
    const refused = new Promise<{ data?: { code?: string } }>((resolve) =>
      adaHears.socket.once('connect_error', resolve),
    );
    expect((await ada.call('POST', '/auth/logout')).status).toBe(204);
    expect((await refused).data?.code).toBe('session_revoked');
  });

  test('a socket without a token is refused with its code', async () => {
    const socket = io(`${deployment.socketUrl}/chat`, { transports: ['websocket'], forceNew: true });
    const refused = await new Promise<{ data?: unknown }>((resolve) => socket.once('connect_error', resolve));
    socket.disconnect();
    expect(refused.data).toMatchObject({ code: 'token_missing' });
  });
}
