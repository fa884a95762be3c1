import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import postgres from 'postgres';
import type { Launcher } from '../../src/commands/servers/launcher.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import { untilReady } from '../../src/commands/servers/ready.ts';
import type { Server } from '../../src/commands/servers/server.ts';
import { createLink, createTcpProxy } from '../tcp-proxy.ts';
import { createLed } from './led.ts';

export interface PostgresPair {
  /** The primary. */
  readonly server: Server;
  readonly ports: readonly number[];
  /**
   * The primary is killed, and `noticedMs` later the standby is promoted. Before it, so that a commit that was answered is on
   * both, or else on the only one.
   */
  failOver(noticedMs: number): Promise<void>;
  /** The one that was primary becomes the standby, with what the other has and nothing of its own. */
  rejoin(): Promise<void>;
}

const names = ['a', 'b'] as const;

/** A primary whose commits wait for its standby. */
export async function startPostgresPair(launcher: Launcher, folder: string): Promise<PostgresPair> {
  const ports = [await freePort(), await freePort()] as const;
  const folderOf = (at: 0 | 1) => join(folder, `postgres-${names[at]}`);
  const startStandby = (at: 0 | 1): Promise<Server> =>
    launcher.postgres(
      { folder: folderOf(at), port: ports[at], durable: false },
      { primaryPort: ports[other(at)], name: names[at] },
    );
  let primary: 0 | 1 = 0;
  const first = await launcher.postgres({ folder: folderOf(0), port: ports[0], durable: false });
  const servers: [Server, Server] = [first, await startStandby(1)];
  const links = ports.map(createLink);
  const proxy = createTcpProxy(() => links.slice(primary, primary + 1));

  /** At the primary, while it is one. */
  async function ask<Row extends object>(text: string): Promise<Row[]> {
    const sql = postgres(servers[primary].url, { max: 1, onnotice: () => {}, connect_timeout: 3 });
    try {
      return [...(await sql.unsafe<Row[]>(text))];
    } finally {
      await sql.end({ timeout: 1 });
    }
  }

  const follows = async (state: string): Promise<boolean> =>
    (await ask(`SELECT FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '${state}'`))
      .length === 1;
  const until = (what: string, check: () => Promise<boolean>) =>
    untilReady({ what, check, deadlineMs: 60_000 });

  /** From now on each commit is on both before it is answered. */
  async function waitForStandby(): Promise<void> {
    await until('the standby', () => follows('async'));
    await ask(`ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (${names[other(primary)]})'`);
    await ask('SELECT pg_reload_conf()');
    await until('the standby that commits wait for', () => follows('quorum'));
  }

  await waitForStandby();
  return {
    ports,
    server: createLed({
      name: 'PostgreSQL',
      url: Object.assign(new URL(first.url), { port: String(proxy.port) }).href,
      leader: async () => servers[primary],
      whole: () => until('the standby that commits wait for', () => follows('quorum')),
      stop: () => Promise.all([proxy.close(), ...servers.map((server) => server.stop())]),
    }),
    async failOver(noticedMs) {
      await servers[primary].kill();
      await Bun.sleep(noticedMs);
      const next = other(primary);
      primary = next;
      const [promoted] = await ask<{ done: boolean }>('SELECT pg_promote(true, 30) AS done');
      if (!promoted?.done) throw new Error('the standby was not promoted');
    },
    async rejoin() {
      const at = other(primary);
      await rm(folderOf(at), { recursive: true, force: true });
      servers[at] = await startStandby(at);
      await waitForStandby();
    },
  };
}

const other = (at: 0 | 1): 0 | 1 => (at === 0 ? 1 : 0);
