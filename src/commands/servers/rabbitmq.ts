import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { serverEnvironment } from './environment.ts';
import { output } from './finished.ts';
import { freePort } from './ports.ts';
import { answers } from './ready.ts';
import { runServer, type Server, type ServerOptions } from './server.ts';

export interface RabbitServer extends Server {
  /**
   * Runs `rabbitmqctl` on this broker and resolves to its output, e.g.
   * `ctl('set_vm_memory_high_watermark', '0.0001')` raises the memory alarm. Throws with what it printed.
   */
  ctl(...args: string[]): Promise<string>;
  /**
   * What was declared until now survives a kill. RabbitMQ writes which member belongs to a new quorum queue only within a second or two;
   * killed before, the queue comes back empty and without a leader (rabbitmq-server#15725, measured on 3.10.8).
   */
  flush(): Promise<void>;
}

export interface RabbitBinaries {
  server: string;
  ctl: string;
  epmd: string;
}

/** What makes it one of a cluster. */
export interface RabbitNode {
  /** Like `confab1@localhost`. */
  name: string;
  /** The same for all. */
  cookie: string;
  /** Its own port mapper's: there it looks for the others. */
  epmdPort: number;
  /** Where the others reach it. */
  distributionPort: number;
  /** Lines of its `rabbitmq.conf`. */
  settings: readonly string[];
}

/**
 * A RabbitMQ of its own: node name, data, cookie, and its own port mapper (`epmd`), so that it neither meets nor
 * disturbs another node on the machine. Without plugins.
 */
export async function startRabbitmq(
  options: ServerOptions & { binaries: RabbitBinaries; node?: RabbitNode | undefined },
): Promise<RabbitServer> {
  const { guard, folder, port, binaries, durable } = options;
  const node = options.node ?? (await aloneNode());
  const at = (name: string) => join(folder, name);
  await mkdir(at('log'), { recursive: true });
  await Promise.all([
    writeFile(at('env.conf'), ''),
    writeFile(at('plugins'), '[].\n'),
    writeFile(at('advanced.config'), '[].\n'),
    // Debian's default asks for 50 MB free too; newer versions may ask for gigabytes.
    writeFile(at('rabbitmq.conf'), ['disk_free_limit.absolute = 50MB', ...node.settings, ''].join('\n')),
  ]);
  if (!existsSync(at('.erlang.cookie'))) await writeFile(at('.erlang.cookie'), node.cookie, { mode: 0o400 });
  const plugins = await leanPlugins(binaries.server, at('lean-plugins'));

  const env = serverEnvironment({
    HOME: folder,
    RABBITMQ_NODENAME: node.name,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(node.distributionPort),
    RABBITMQ_MNESIA_BASE: at('data'),
    RABBITMQ_LOG_BASE: at('log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_ENABLED_PLUGINS_FILE: at('plugins'),
    RABBITMQ_CONF_ENV_FILE: at('env.conf'),
    RABBITMQ_CONFIG_FILE: at('rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: at('advanced.config'),
    // Schedulers that have nothing to do sleep instead of spinning: here they share their cores with everything else.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none',
    ...(plugins ? { RABBITMQ_PLUGINS_DIR: plugins } : {}),
    ERL_EPMD_PORT: String(node.epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_CRASH_DUMP: '/dev/null',
    // The start script then becomes the Erlang machine instead of waiting beside it: one process to signal.
    RUNNING_UNDER_SYSTEMD: 'true',
  });

  const portMapper = guard.spawn({
    command: [binaries.epmd, '-port', String(node.epmdPort), '-address', '127.0.0.1'],
    cwd: folder,
    env,
    logFile: at('epmd.log'),
    lastSignal: 'SIGKILL',
  });
  portMapper.unref();
  const server = await runServer({
    guard,
    name: 'RabbitMQ',
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    command: () => ({
      command: [binaries.server],
      cwd: folder,
      env,
      logFile: at('rabbitmq.log'),
      lastSignal: 'SIGKILL',
    }),
    check: () => answersAmqp(port),
    stopSignal: durable ? 'SIGTERM' : 'SIGKILL',
    // Those of a cluster start together, on what the machine has.
    deadlineMs: options.node ? 180_000 : 60_000,
  }).catch(async (error: unknown) => {
    await portMapper.end('SIGKILL');
    throw error;
  });
  const ctl = (...args: string[]): Promise<string> =>
    output([binaries.ctl, '-q', ...args], { cwd: folder, env });

  return {
    ...server,
    ctl,
    async stop() {
      await server.stop();
      await portMapper.end('SIGKILL');
    },
    flush: () => flushBy(ctl),
  };
}

const aloneNode = async (): Promise<RabbitNode> => ({
  // The same for all: node names are told apart by the port mapper, and the data lies under the name.
  name: 'confab@localhost',
  cookie: crypto.randomUUID().replaceAll('-', ''),
  epmdPort: await freePort(),
  distributionPort: await freePort(),
  settings: [],
});

export async function flushBy(ctl: RabbitServer['ctl']): Promise<void> {
  await ctl('eval', 'lists:foreach(fun dets:sync/1, dets:all()).');
}

/** Whether a broker opens the AMQP 0-9-1 conversation: it answers our greeting with a method frame. */
export function answersAmqp(port: number): Promise<boolean> {
  return answers(port, new Uint8Array([65, 77, 81, 80, 0, 0, 9, 1]), '\x01');
}

/**
 * A folder with links to everything in the server's plugin folder but the plugins proper: the broker reads
 * each one at start, used or not (start: 7.0 s with all, 5.1 s without). Undefined where that folder is not found.
 */
async function leanPlugins(serverBinary: string, folder: string): Promise<string | undefined> {
  const home = dirname(dirname(serverBinary));
  const candidates = [join(home, 'plugins')];
  const versions = await readdir(join(home, 'lib')).catch(() => []);
  for (const version of versions) candidates.push(join(home, 'lib', version, 'plugins'));
  const source = candidates.find((candidate) => existsSync(candidate));
  if (!source) return undefined;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  for (const name of await readdir(source))
    if (!name.startsWith('rabbitmq_') || name.startsWith('rabbitmq_prelaunch'))
      await symlink(join(source, name), join(folder, name));
  return folder;
}
