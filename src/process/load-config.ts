import { readFileSync } from 'node:fs';
import type { Environment } from '../shared/config/environment.ts';
import { type Config, ConfigError, type ConfigOptions, isVariable, parseConfig } from '../shared/config.ts';

/**
 * The configuration of this process: its environment, and the files that this names.
 * @throws ConfigError with every problem
 */
export const loadConfig = (options: ConfigOptions = {}): Config =>
  parseConfig(withFiles(process.env), options);

/**
 * `NAME_FILE=/run/secrets/name` stands for the file's content, as Docker's and Kubernetes' secrets come; `NAME` itself wins.
 * All of it to the byte, but for one line break at the end: editors and `echo` put one there.
 * @throws ConfigError naming each file that can't be read
 */
export function withFiles(environment: Environment): Environment {
  const problems: string[] = [];
  const read = ([name, path = '']: [string, string | undefined]) => {
    const variable = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : '';
    if (!isVariable(variable) || path === '' || (environment[variable] ?? '') !== '') return [];
    try {
      return [[variable, readFileSync(path, 'utf8').replace(/\r?\n$/, '')]];
    } catch (error) {
      problems.push(`${name} can't be read: ${error instanceof Error ? error.message : String(error)}`);
      return [];
    }
  };
  const fromFiles = Object.fromEntries(Object.entries(environment).flatMap(read));
  if (problems.length > 0) throw new ConfigError(problems);
  return { ...environment, ...fromFiles };
}
