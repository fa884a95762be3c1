import { describe, expect, test } from 'bun:test';
import { newId } from '../../src/shared/ids.ts';
import type { WorkerRegistry } from '../../src/shared/registry/registry.ts';

/** What every `WorkerRegistry` does alike. */
export function registryConformance(name: string, open: () => Promise<WorkerRegistry>): void {
  describe(`worker registry: ${name}`, () => {
    test('all that beat see one another, themselves included; who leaves is gone', async () => {
      const registry = await open();
      const [one, two] = [newId(), newId()];
      expect(await registry.beat(one)).toEqual([one]);
      expect((await registry.beat(two)).toSorted()).toEqual([one, two].toSorted());
      expect((await registry.beat(one)).toSorted()).toEqual([one, two].toSorted());
      await registry.leave(two);
      await registry.leave(two);
      expect(await registry.beat(one)).toEqual([one]);
      await registry.leave(one);
    });
  });
}
