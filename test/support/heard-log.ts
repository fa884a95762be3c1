import pino from 'pino';
import type { Logger } from '../../src/shared/log.ts';

export interface HeardLine {
  level: string;
  msg: string;
  reason?: string;
  partition?: number;
}

/** A log that a test reads. */
export function heardLog(): { log: Logger; lines: HeardLine[] } {
  const lines: HeardLine[] = [];
  const log = pino(
    { level: 'info', formatters: { level: (level) => ({ level }) } },
    { write: (line: string) => void lines.push(JSON.parse(line)) },
  );
  return { log, lines };
}
