import pino, { type Logger } from 'pino';
import type { Config } from './config.ts';

export type { Logger };

/**
 * One JSON object a line on standard output; in development a short line for people. Tokens, passwords and message text
 * are never handed to it.
 */
export function createLog(
  config: Pick<Config, 'logLevel'> & Partial<Pick<Config, 'environment'>>,
  process: string,
): Logger {
  const options: pino.LoggerOptions = {
    level: config.logLevel,
    base: { process },
    redact: { paths: ['authorization', '*.authorization', 'password', '*.password', 'token', '*.token'] },
  };
  return config.environment === 'development' ? pino(options, readableLines) : pino(options);
}

const readableLines: pino.DestinationStream = {
  write: (line) => void globalThis.process.stdout.write(readableLine(line)),
};

/** `12:00:01.250 info  api  request method=POST status=202` from pino's JSON. */
export function readableLine(line: string): string {
  const { level, time, process, msg, err, ...fields } = JSON.parse(line);
  const at = new Date(time).toTimeString().slice(0, 8);
  const label = pino.levels.labels[level] ?? String(level);
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${text(value)}`);
  const stack = err?.stack ?? (err === undefined ? undefined : text(err));
  return [
    [at, label.padEnd(5), process, msg, ...shown].filter((part) => part !== undefined).join(' '),
    ...(stack === undefined ? [] : [stack]),
  ]
    .join('\n')
    .concat('\n');
}

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
