import pino, { type Logger } from 'pino';
import packageJson from '../../package.json' with { type: 'json' };
import type { Config } from './config.ts';
import { loggable } from './loggable.ts';

export type { Logger };

/** A process that others may run beside. */
export interface LogSource {
  process: string;
  /** What tells it from the others. */
  instance: string;
  /** More fields, of what is worked on when a line is written. */
  work?: () => object;
}

/**
 * One JSON object a line on standard output; in development a short line for people. Tokens, passwords and message text
 * are never handed to it; what other people's errors carry of them, `loggable` leaves out.
 */
export function createLog(
  config: Pick<Config, 'logLevel'> & Partial<Pick<Config, 'environment'>>,
  from: string | LogSource,
  destination?: pino.DestinationStream,
): Logger {
  const { work, ...base } =
    typeof from === 'string' ? { process: from } : { ...from, version: packageJson.version };
  const options: pino.LoggerOptions = {
    level: config.logLevel,
    base,
    ...(work ? { mixin: work } : {}),
    formatters: { level: (level) => ({ level }) },
    serializers: { err: (error) => (error instanceof Error ? loggable(error) : error) },
    redact: { paths: ['authorization', '*.authorization', 'password', '*.password', 'token', '*.token'] },
  };
  if (destination) return pino(options, destination);
  return config.environment === 'development' ? pino(options, readableLines) : pino(options);
}

const readableLines: pino.DestinationStream = {
  write: (line) => void globalThis.process.stdout.write(readableLine(line)),
};

/** `12:00:01 info  api request method=POST status=202` from pino's JSON. What is the same in every line is left away. */
export function readableLine(line: string): string {
  const { level, time, process, instance: _, version: __, msg, err, ...fields } = JSON.parse(line);
  const at = new Date(time).toTimeString().slice(0, 8);
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${text(value)}`);
  return [
    [at, level.padEnd(5), process, msg, ...shown].filter((part) => part !== undefined).join(' '),
    ...(err === undefined ? [] : errorLines(err)),
  ]
    .map((part) => `${part}\n`)
    .join('');
}

/** What `loggable` has kept, each cause below what it caused. */
function errorLines(err: unknown): string[] {
  if (typeof err !== 'object' || err === null) return [text(err)];
  const { type, code, message, stack, cause, ...fields } = err as Record<string, unknown>;
  const head = [type, code, message].filter((part) => part !== undefined).map(text);
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${text(value)}`);
  const frames = typeof stack === 'string' ? stack.replace(/^\n/, '') : '';
  return [
    [...head, ...shown].join(' '),
    ...(frames === '' ? [] : [frames]),
    ...(cause === undefined ? [] : errorLines(cause)),
  ];
}

/** Some of it others wrote: a line stays one line, and a terminal is told nothing. */
function text(value: unknown): string {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  return /\p{Cc}/u.test(shown) ? JSON.stringify(shown).replace(/\p{Cc}/gu, escaped) : shown;
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
