import { cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A copy of the program to run from: processes are started again and again, and a file edited or a migration added
 * meanwhile would make another program of it.
 */
export async function copyProgram(repository: string, folder: string): Promise<string> {
  const root = join(folder, 'program');
  await mkdir(root, { recursive: true });
  for (const name of ['src', 'drizzle', 'package.json', 'tsconfig.json']) {
    await cp(join(repository, name), join(root, name), { recursive: true });
  }
  await symlink(join(repository, 'node_modules'), join(root, 'node_modules'), 'junction');
  return root;
}
