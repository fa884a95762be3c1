import { type Config, ConfigError, type ConfigOptions, isOutside } from '../shared/config.ts';
import { newId } from '../shared/ids.ts';
import { createLog, type Logger } from '../shared/log.ts';
import type { Metrics } from '../shared/metrics/metrics.ts';
import type { Tracing } from '../shared/ports/tracing.ts';
import { createLifecycle, type Lifecycle } from './lifecycle.ts';
import { loadConfig } from './load-config.ts';
import { createProcessMetrics } from './process-metrics.ts';
import { keptTokenSecret } from './secret.ts';

export interface ProcessParts {
  config: Config;
  /** What tells it from all others: in the log, in traces, and among the processes that know each other. */
  instance: string;
  log: Logger;
  lifecycle: Lifecycle;
  metrics: Metrics;
  tracing: Tracing | undefined;
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
    const instance = newId();
    let tracing: Tracing | undefined;
    const log = createLog(config, {
      process: name,
      instance,
      ...(config.tracing ? { work: () => idsOf(tracing) } : {}),
    });
    for (const warning of config.warnings) log.warn(warning);
    const lifecycle = createLifecycle(log, graceMs);
    process.on('uncaughtException', (error) => endAt(log, error));
    process.on('unhandledRejection', (error) => endAt(log, error));

    // From the beginning: as process 1 of a container it would otherwise not hear a signal while it waits for a server.
    const ended = lifecycle.untilSignal();
    tracing = await tracingOf(name, { config, instance, log, lifecycle });
    const metrics = createProcessMetrics(config);
    const kept = await withSecret(config, secret);
    const running = startWith({ config: kept, instance, log, lifecycle, metrics, tracing });
    await Promise.race([running.then(() => ended), ended]);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${refusal(name, error)}\n`);
    process.exit(1);
  }

  async function startWith(parts: ProcessParts): Promise<void> {
    try {
      await start(parts);
    } catch (error) {
      await parts.lifecycle.stop();
      throw error;
    }
  }
}

/** OpenTelemetry is loaded where it is wanted alone. */
async function tracingOf(
  name: string,
  { config, instance, log, lifecycle }: Omit<ProcessParts, 'metrics' | 'tracing'>,
): Promise<Tracing | undefined> {
  if (!config.tracing) return undefined;
  const { openTracing } = await import('./tracing.ts');
  const { serviceName = name === 'confab' ? name : `confab-${name}`, ...rest } = config.tracing;
  const tracing = openTracing({ ...rest, serviceName, instance, log });
  lifecycle.defer('the traces', tracing.close);
  return tracing;
}

/** Of the work that a line of the log is about, by OpenTelemetry's names. */
function idsOf(tracing: Tracing | undefined): object {
  const span = tracing?.current();
  return span ? { trace_id: span.traceId, span_id: span.spanId } : {};
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
