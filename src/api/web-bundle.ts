import { join } from 'node:path';

/**
 * What Bun's bundler makes of a file of the web client. A macro, so that a compiled program has it inside: there it runs when the
 * program is made, else when the module that names it is first loaded. In a macro Bun bundles in a process of its own alone.
 * @throws Error with what the bundler said
 */
export function bundle(entry: string): string {
  const command = [process.execPath, '--no-env-file', 'build', join(import.meta.dir, '../../web', entry)];
  const run = Bun.spawnSync([...command, '--minify', '--target=browser', '--env=disable'], {
    env: { ...process.env, NODE_ENV: 'production' },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  if (run.exitCode !== 0) throw new Error(`the web client is not bundled: ${run.stderr}`);
  return run.stdout.toString();
}
