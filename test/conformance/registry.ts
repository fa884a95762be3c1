import { describe, expect, test } from 'bun:test';
import { newId } from '../../src/shared/ids.ts';
import type { LiveProcess, ProcessRegistry } from '../../src/shared/ports/registry.ts';

/** A process as it would say of itself. */
export const process = (own: Partial<LiveProcess> = {}): LiveProcess => ({
  id: newId(),
  roles: ['worker'],
  programVersion: '1.2.3',
  envelopeVersion: 1,
  kinds: ['chat.message.new'],
  fingerprints: {},
  ...own,
});

export const byId = (live: readonly LiveProcess[]) => live.toSorted((a, b) => (a.id < b.id ? -1 : 1));

/** What every `ProcessRegistry` does alike. */
export function registryConformance(name: string, open: () => Promise<ProcessRegistry>): void {
  describe(`registry of processes: ${name}`, () => {
    test('all that beat see one another, themselves included, as each says of itself; who leaves is gone', async () => {
      const registry = await open();
      const one = process({ roles: ['api', 'worker'], fingerprints: { redis: 'r"1\'', broker: 'b1' } });
      const two = process({ roles: ['gateway'], envelopeVersion: 3, kinds: ['a.b', 'c'] });
      const live = async (self: LiveProcess) => byId((await registry.beat(self)).live);
      expect(await live(one)).toEqual([one]);
      expect(await live(two)).toEqual([one, two]);
      const changed: LiveProcess = { ...one, roles: ['api'], fingerprints: { redis: 'r2' } };
      expect(await live(changed)).toEqual([changed, two]);
      expect(await live(two)).toEqual([changed, two]);
      await registry.leave(two.id);
      await registry.leave(two.id);
      expect(await live(one)).toEqual([one]);
      await registry.leave(one.id);
    });

    test('it tells the time of who keeps it', async () => {
      const registry = await open();
      const self = process();
      const before = Date.now();
      const { databaseTime } = await registry.beat(self);
      expect(databaseTime).toBeGreaterThan(before - 1_000);
      expect(databaseTime).toBeLessThan(Date.now() + 1_000);
      await registry.leave(self.id);
    });
  });
}
