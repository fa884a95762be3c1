import { expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFolder } from '../../src/process/folder-lock.ts';

const module = join(import.meta.dir, '../../src/process/folder-lock.ts');

test('a folder is locked for one process until that ends, in whatever way', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'confab-lock-'));
  try {
    const script = `const { lockFolder } = await import(${JSON.stringify(module)});
      globalThis.lock = lockFolder(${JSON.stringify(folder)});
      console.log(lock ? 'locked' : 'refused');
      setInterval(() => {}, 1000);`;
    const holder = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe' });
    const { value } = await holder.stdout.getReader().read();
    expect(new TextDecoder().decode(value).trim()).toBe('locked');
    expect(lockFolder(folder)).toBeUndefined();
    holder.kill('SIGKILL');
    await holder.exited;
    const mine = lockFolder(folder);
    expect(mine).toBeDefined();
    mine?.release();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a folder that is not there is an error, not one that another process has', () => {
  expect(() => lockFolder(join(tmpdir(), 'confab-no-such-folder'))).toThrow();
});
