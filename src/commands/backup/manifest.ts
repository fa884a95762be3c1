import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { StartError } from '../../shared/start-error.ts';

/** Of a backup's layout: `backup.json`, and `data/` as it was. */
const format = 1;

export interface Manifest {
  format: number;
  /** ISO 8601: what was accepted before is in it. */
  madeAt: string;
  programVersion: string;
  /** All that the database has. A program that knows one since which it is compatible knows enough. */
  migrations: { name: string; compatibleSince: string | null }[];
  folders: string[];
  files: { path: string; bytes: number; sha256: string }[];
}

export const dataOf = (backup: string): string => join(backup, 'data');
const manifestOf = (backup: string): string => join(backup, 'backup.json');

/** Lists what lies in the backup's `data/`. */
export async function writeManifest(
  backup: string,
  facts: Pick<Manifest, 'madeAt' | 'programVersion' | 'migrations'>,
): Promise<Manifest> {
  const manifest: Manifest = { format, ...facts, ...(await listed(dataOf(backup))) };
  await writeFile(manifestOf(backup), `${JSON.stringify(manifest, undefined, 1)}\n`, {
    mode: 0o600,
    flush: true,
  });
  return manifest;
}

/** @throws StartError where there is no backup, or one that a newer version made */
export async function readManifest(backup: string, known: ReadonlySet<string>): Promise<Manifest> {
  const text = await readFile(manifestOf(backup), 'utf8').catch((error: unknown) => {
    throw new StartError(`There is no backup in ${backup}.`, { cause: error });
  });
  const manifest = parsed(text);
  if (!manifest) throw new StartError(`The backup in ${backup} is damaged: backup.json can't be read.`);
  const unknown = manifest.migrations?.find(
    ({ name, compatibleSince }) => !known.has(name) && !known.has(compatibleSince ?? ''),
  );
  if (manifest.format > format || unknown)
    throw new StartError(
      `The backup was made by a newer version (${[manifest.programVersion, unknown?.name].filter(Boolean).join(', ')}), which this ` +
        "one can't read: restore it with that version.",
    );
  return manifest;
}

/** Undefined for what is none; of a newer format the number alone is sure. */
function parsed(text: string): Manifest | undefined {
  try {
    const manifest: Manifest = JSON.parse(text);
    const { migrations, folders, files } = manifest;
    if (manifest.format > format || [migrations, folders, files].every(Array.isArray)) return manifest;
  } catch {
    // As one of another shape.
  }
  return undefined;
}

/** @throws StartError naming what is not as it was */
export async function assertWhole(backup: string, { files }: Manifest): Promise<void> {
  const found = new Map((await listed(dataOf(backup))).files.map((file) => [file.path, file]));
  const problems = files.flatMap(({ path, bytes, sha256 }) => {
    const file = found.get(path);
    found.delete(path);
    if (!file) return [`${path} is missing`];
    return file.bytes === bytes && file.sha256 === sha256 ? [] : [`${path} is not what it was`];
  });
  problems.push(...[...found.keys()].map((path) => `${path} does not belong to it`));
  if (problems.length === 0) return;
  const [first] = problems;
  const more = problems.length > 1 ? `, and ${problems.length - 1} more like that` : '';
  throw new StartError(`The backup in ${backup} is damaged: ${first}${more}. Use another one.`);
}

async function listed(folder: string): Promise<Pick<Manifest, 'folders' | 'files'>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const pathOf = (entry: (typeof entries)[number]) =>
    relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/');
  const files: Manifest['files'] = [];
  for (const entry of entries.filter((each) => !each.isDirectory())) {
    const path = pathOf(entry);
    files.push({ path, ...(await digestOf(join(folder, path))) });
  }
  return {
    folders: entries
      .filter((each) => each.isDirectory())
      .map(pathOf)
      .toSorted(),
    files,
  };
}

async function digestOf(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  await pipeline(createReadStream(path), async (pieces) => {
    for await (const piece of pieces) {
      bytes += piece.length;
      hash.update(piece);
    }
  });
  return { bytes, sha256: hash.digest('hex') };
}
