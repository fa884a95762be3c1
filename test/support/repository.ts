import { join } from 'node:path';

/** The repository's own folder. */
export const repository = join(import.meta.dir, '../..');

export const readText = (path: string): Promise<string> => Bun.file(join(repository, path)).text();

/** Whoever asks says which form the file has; the tests then look at its parts. */
export const readYaml = async <Form>(path: string): Promise<Form> =>
  Bun.YAML.parse(await readText(path)) as Form;

/** `NAME=value` lines, comments left out. */
export function parseEnvironment(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => /^[A-Z]/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}
