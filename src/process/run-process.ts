import { type Config, ConfigError, type ConfigOptions, isOutside } from '../shared/config.ts';
import { createLog, type Logger } from '../shared/log.ts';
import type { Metrics } from '../shared/metrics/metrics.ts';
import { createLifecycle, type Lifecycle } from './lifecycle.ts';
import { loadConfig } from './load-config.ts';
import { createProcessMetrics } from './process-metrics.ts';
import { keptTokenSecret } from './secret.ts';

export interface ProcessParts {
  config: Config;
  log: Logger;
  lifecycle: Lifecycle;
  metrics: Metrics;
}

export interface ProcessOptions {
  /**
   * Where the secret of tokens comes from when `JWT_SECRET` is not set. `required`: in production from nowhere, else it is
   * kept in the data folder. `kept`: it always is. `none`: the process needs none.
   */
  secret: 'required' | 'kept' | 'none';
  /** The servers that it signs in to. */
  servers: NonNullable<ConfigOptions['servers']>;
  /** How long the end may take. */
  graceMs?: number;
}

/**
 * The frame of every process: configuration, a log, the start, the wait for a signal, the undoing of everything. A refusal
 * to start is its message alone, on standard error, and exit status 1.
 */
export async function runProcess(
  name: string,
  { secret, servers, graceMs }: ProcessOptions,
  start: (parts: ProcessParts) => Promise<void>,
): Promise<never> {
  // Whatever is written is this user's alone.
  process.umask(0o077);
  try {
    const config = loadConfig({ needsSecret: secret === 'required', servers });
    const log = createLog(config, name);
    for (const warning of config.warnings) log.warn(warning);
    const lifecycle = createLifecycle(log, graceMs);
    process.on('uncaughtException', (error) => endAt(log, error));
    process.on('unhandledRejection', (error) => endAt(log, error));

    // From the beginning: as process 1 of a container it would otherwise not hear a signal while it waits for a server.
    const ended = lifecycle.untilSignal();
    const running = startWith(await withSecret(config, secret), log, lifecycle);
    await Promise.race([running.then(() => ended), ended]);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${refusal(name, error)}\n`);
    process.exit(1);
  }

  async function startWith(config: Config, log: Logger, lifecycle: Lifecycle): Promise<void> {
    try {
      await start({ config, log, lifecycle, metrics: createProcessMetrics(config) });
    } catch (error) {
      await lifecycle.stop();
      throw error;
    }
  }
}

async function withSecret(config: Config, source: ProcessOptions['secret']): Promise<Config> {
  const { auth } = config;
  if (source === 'none' || isOutside(auth) || auth.secret !== undefined) return config;
  return { ...config, auth: { ...auth, secret: await keptTokenSecret(config.dataDir) } };
}

function endAt(log: Logger, error: unknown): never {
  log.fatal({ err: error }, 'an error nobody caught ends this process');
  process.exit(1);
}

/** Errors of ours speak for themselves; of others, too, the message is what helps, not the way through our code. */
function refusal(name: string, error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  return `${name} does not start: ${error instanceof Error ? error.message : String(error)}`;
}
