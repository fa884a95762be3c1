import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import {
  connectClient,
  createWorld,
  type RunningGateway,
  startTestGateway,
  type World,
} from '../support/gateway-world.ts';

const base = await embeddedBase();

describe.each([[['websocket']], [['polling', 'websocket']]])(
  'gateway: with every hint lost over %p, the comparison with PostgreSQL finds',
  (transports) => {
    let world: World;
    let running: RunningGateway;
    beforeAll(async () => {
      world = await createWorld(base);
      running = await startTestGateway({ ...base, comparisonMs: 100 });
    });
    afterAll(() => running.stop());

    test('messages, in order', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const client = await connectClient(running.url, bob!, { transports });
      const expected = Array.from({ length: 350 }, (_, at) => `${at}`);
      for (const content of expected) await world.send(ada!, chat.id, content, { silent: true });
      await eventually('all arrive', () => client.seen.length >= expected.length);
      expect(client.contents('chat.message.new')).toEqual(expected);
      client.close();
    });

    test('who was added, and who was removed', async () => {
      const [ada, bob, eve] = await world.newUsers(3);
      const chat = await world.newGroup(ada!, bob!);
      const [bobs, eves] = [
        await connectClient(running.url, bob!, { transports }),
        await connectClient(running.url, eve!, { transports }),
      ];
      await world.addSilently(ada!, chat.id, eve!);
      await eventually('the added gets the chat', () => eves.seen.length > 0);
      await eventually('the others are told', () => bobs.seen.length > 0);
      await world.remove(ada!, chat.id, bob!, { silent: true });
      await world.send(ada!, chat.id, 'after', { silent: true });
      await eventually('the removed is told', () => bobs.seen.length > 1);
      await eventually('it flows', () => eves.contents().includes('after'));
      expect(bobs.seen.map(({ event }) => event)).toEqual([
        'chat.participant.added',
        'chat.participant.removed',
      ]);
      expect(eves.seen.map(({ event }) => event)).toEqual([
        'chat.created',
        'chat.participant.removed',
        'chat.message.new',
      ]);
      bobs.close();
      eves.close();
    });

    test('sessions that have ended', async () => {
      const [ada] = await world.newUsers(1);
      const client = await connectClient(running.url, ada!, { transports });
      await world.endSession(ada!, { silent: true });
      await eventually('it is closed and refused', () => client.errors.length > 0);
      expect(client.errors[0].data.code).toBe('session_revoked');
      client.close();
    });
  },
);
