import { join } from 'node:path';

/** The repository's own folder. */
export const repository = join(import.meta.dir, '../..');

export const readText = (path: string): Promise<string> => Bun.file(join(repository, path)).text();

/** Whoever asks says which form the file has; the tests then look at its parts. */
export const readYaml = async <Form>(path: string): Promise<Form> =>
  Bun.YAML.parse(await readText(path)) as Form;

/** The first block of the setup guide that begins so, with values in place of what it has in `<…>`. */
export async function guideBlock(
  language: string,
  begins: string,
  values: Record<string, string> = {},
): Promise<string> {
  const guide = await readText('docs/realtime-chat-setup.md');
  const blocks = [...guide.matchAll(/```(\w*)\n([\s\S]*?)```/g)];
  const block = blocks.find(([, of, text]) => of === language && text?.startsWith(begins))?.[2];
  if (block === undefined) throw new Error(`the setup guide has no block that begins with ${begins}`);
  return Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`<${name}>`, value), block);
}

/** All blocks of a document that are in this language. */
export async function codeBlocks(path: string, language: string): Promise<string[]> {
  const blocks = (await readText(path)).matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm);
  return [...blocks].flatMap(([, of, text = '']) => (of === language ? [text] : []));
}

/** What a section of a document runs by `program`, in order and as a shell takes it apart, with values in place of what it has in `<…>`. */
export async function commandsOf(
  [path, heading]: readonly [path: string, heading: string],
  program: string,
  values: Record<string, string>,
): Promise<string[][]> {
  const sections = (await readText(path)).split(/^#+ /m);
  const section = sections.find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const commands = section.matchAll(new RegExp(`(?:^|\`)${program} ([^\n\`]+)`, 'gm'));
  return commands.toArray().map(([, command = '']) => {
    const given = Object.entries(values).reduce(
      (text, [name, value]) => text.replaceAll(`<${name}>`, value),
      command,
    );
    return Bun.spawnSync(['sh', '-c', `printf '%s\\n' ${given}`])
      .stdout.toString()
      .trimEnd()
      .split('\n');
  });
}

/** `NAME=value` lines, comments left out. */
export function parseEnvironment(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => /^[A-Z]/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}
