import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './operate.ts';

/** What was typed. @throws UsageError for what is not among the options */
export function parsed<Options extends ParseArgsConfig>(options: Options) {
  try {
    return parseArgs(options);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
