import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Processes } from './processes.ts';
import { repository } from './repository.ts';

/** Of the first version: its processes write no beat, sign nothing, and know no changes of messages. */
const commit = '011223895c3bc62beabfedd167ae61a498059d7f';

/** What the api of then described its routes by. */
const describing = `export const uniqueSymbol = Symbol();
export const resolver = () => ({});
export const describeRoute = () => (_, next) => next();
export const generateSpecs = () => ({});`;

/** @returns its folder, with the packages of today. A shallow clone asks where it comes from for the commit. */
export async function oldProgram(processes: Processes): Promise<string> {
  const folder = await processes.folder();
  const root = join(folder, 'old');
  await mkdir(root);
  const checkout = processes.bash(`set -eo pipefail
    git cat-file -e ${commit} || git fetch --quiet --depth 1 origin ${commit}
    git archive ${commit} src drizzle package.json | tar -x -C '${root}'`);
  if ((await checkout.exited) !== 0)
    throw new Error(`${commit} cannot be had from git:\n${checkout.output()}`);
  await symlink(join(repository, 'node_modules'), join(folder, 'node_modules'));
  await Bun.write(join(root, 'node_modules/hono-openapi/index.js'), describing);
  return root;
}
