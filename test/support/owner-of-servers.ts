/**
 * Starts the servers named as arguments, prints `{folder, pids}` and stays, for a test to kill it. Run by
 * `private-servers.servers.test.ts`.
 */
import { join } from 'node:path';
import { findBinaries } from '../../src/commands/servers/binaries.ts';
import { createGuard } from '../../src/commands/servers/guard.ts';
import { createLauncher } from '../../src/commands/servers/launcher.ts';

const names = process.argv.slice(2) as ('postgres' | 'redis' | 'rabbitmq')[];
const guard = createGuard();
const folder = await guard.temporaryFolder('confab-owner-');
const launcher = createLauncher(guard, findBinaries());
const servers = await Promise.all(
  names.map((name) => launcher[name]({ folder: join(folder, name), durable: false })),
);
console.log(JSON.stringify({ folder, pids: servers.map((server) => server.pid()) }));
setInterval(() => {}, 60_000);
