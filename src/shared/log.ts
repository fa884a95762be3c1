import pino, { type Logger } from 'pino';
import type { Config } from './config.ts';

export type { Logger };

/** One JSON object a line on standard output. Tokens, passwords and message text are never handed to it. */
export function createLog(config: Pick<Config, 'logLevel'>, process: string): Logger {
  return pino({
    level: config.logLevel,
    base: { process },
    redact: { paths: ['authorization', '*.authorization', 'password', '*.password', 'token', '*.token'] },
  });
}
