import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../shared/start-error.ts';
import type { DataFolder } from './data-folder.ts';
import { createTokenCheck } from './http/bearer-token.ts';

const fileName = 'control';

/** Where the process is asked, and what for: whoever can read its data folder. */
interface Control {
  url: string;
  token: string;
}

/** Lets `bun run backup` have a copy of the folder that this process has open. On this machine alone, on a port of its own. */
export async function serveBackups(
  dataDir: string,
  folder: Pick<DataFolder, 'copyTo'>,
): Promise<{ close(): Promise<void> }> {
  const token = randomBytes(32).toString('base64url');
  const hasToken = createTokenCheck([token]);

  async function answer(request: Request): Promise<Response> {
    if (!hasToken(request)) return new Response(null, { status: 401 });
    const target = await request.text();
    const startedAt = performance.now();
    await folder.copyTo(target);
    return Response.json({ stoodStillMs: Math.round(performance.now() - startedAt) });
  }

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    // A large folder takes its time.
    idleTimeout: 0,
    fetch: (request) =>
      answer(request).catch((error: unknown) =>
        Response.json({ reason: error instanceof Error ? error.message : String(error) }, { status: 500 }),
      ),
  });
  const path = join(dataDir, fileName);
  const control: Control = { url: server.url.href, token };
  await rm(path, { force: true });
  await writeFile(path, JSON.stringify(control), { mode: 0o600 });
  return {
    async close() {
      await rm(path, { force: true });
      await server.stop(true);
    },
  };
}

/**
 * Has the running process copy its folder.
 * @returns for how long nothing could be asked of its database, at most
 * @throws StartError when it does not answer, or with its reason
 */
export async function copyByProcess(dataDir: string, target: string): Promise<number> {
  const path = join(dataDir, fileName);
  if (!existsSync(path))
    throw new StartError(
      `The process that has ${dataDir} makes no backups yet: it is starting, or of an older version. Stop it, then try again.`,
    );
  const { url, token }: Control = JSON.parse(await readFile(path, 'utf8'));
  const response = await fetch(url, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}` },
    body: target,
    // However long the copy takes.
    timeout: false,
  }).catch((error: unknown) => {
    throw new StartError(`The process that has ${dataDir} does not answer: stop it, then try again.`, {
      cause: error,
    });
  });
  const { stoodStillMs, reason } = (await response.json()) as { stoodStillMs?: number; reason?: string };
  if (stoodStillMs === undefined) throw new StartError(`The process could not copy its folder: ${reason}`);
  return stoodStillMs;
}
