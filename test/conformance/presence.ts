import { afterEach, describe, expect, test } from 'bun:test';
import type { Presence } from '../../src/shared/ports/presence.ts';

export interface PresenceUnderTest {
  presence: Presence;
  close(): Promise<void>;
}

const sockets = (entries: Record<string, string[]>) =>
  new Map(Object.entries(entries).map(([userId, ids]) => [userId, new Set(ids)]));

/** What every presence does alike. */
export function presenceConformance(name: string, open: () => Promise<PresenceUnderTest>): void {
  describe(`presence: ${name}`, () => {
    const opened: PresenceUnderTest[] = [];
    afterEach(async () => {
      for (const each of opened.splice(0)) await each.close();
    });

    async function openOne(): Promise<Presence> {
      const under = await open();
      opened.push(under);
      return under.presence;
    }

    test('users with a socket are online, others are not', async () => {
      const presence = await openOne();
      await presence.update('ada', new Set(['s1', 's2']));
      expect(await presence.online(['ada', 'bob'])).toEqual(new Set(['ada']));
      await presence.update('ada', new Set(['s2']));
      expect(await presence.online(['ada'])).toEqual(new Set(['ada']));
      expect(await presence.offline(['ada', 'bob'])).toEqual(['bob']);
      await presence.update('ada', new Set());
      expect(await presence.online(['ada', 'bob'])).toEqual(new Set());
      expect(await presence.online([])).toEqual(new Set());
      expect(await presence.offline(['ada', 'bob'])).toEqual(['ada', 'bob']);
    });

    test('a heartbeat rewrites everything: what it does not name is gone', async () => {
      const presence = await openOne();
      await presence.update('ada', new Set(['s1']));
      await presence.heartbeat(sockets({ bob: ['s3'], eve: ['s4'] }));
      expect(await presence.online(['ada', 'bob', 'eve'])).toEqual(new Set(['bob', 'eve']));
      await presence.heartbeat(new Map());
      expect(await presence.online(['ada', 'bob', 'eve'])).toEqual(new Set());
    });

    test('with one gateway nobody is elsewhere', async () => {
      const presence = await openOne();
      await presence.update('ada', new Set(['s1', 's2']));
      expect(await presence.elsewhere(['ada', 'bob'])).toEqual([[], []]);
    });

    test('thousands of users go in one heartbeat', async () => {
      const presence = await openOne();
      const all = new Map(
        Array.from({ length: 2_500 }, (_, at) => [`user-${at}`, new Set([`socket-${at}`])]),
      );
      await presence.heartbeat(all);
      expect((await presence.online([...all.keys(), 'nobody'])).size).toBe(2_500);
    });

    test('a gateway that leaves takes its users with it', async () => {
      const presence = await openOne();
      await presence.heartbeat(sockets({ ada: ['s1'] }));
      await presence.leave();
      expect(await presence.online(['ada'])).toEqual(new Set());
    });
  });
}
