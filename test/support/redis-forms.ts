import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { administer } from '../../harness/redis-forms.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import type { Server } from '../../src/commands/servers/server.ts';
import type { RedisAddress } from '../../src/shared/config/redis-address.ts';
import { parseConfig } from '../../src/shared/config.ts';
import type { Authority } from './certificates.ts';

export const addressOf = (environment: Record<string, string>): RedisAddress =>
  parseConfig(environment).redis;

/** At a port of its own, beside the other. @param options.asks for certificates of clients */
export async function speakTls(
  server: Server,
  options: { authority: Authority; folder: string; asks?: boolean; port?: number },
): Promise<number> {
  const { authority, folder, asks = false, port = await freePort() } = options;
  const { cert, key } = authority.issue('localhost', ['localhost', '127.0.0.1']);
  const files = { 'cert-file': cert, 'key-file': key, 'ca-cert-file': authority.cert };
  const words = await Promise.all(
    Object.entries(files).map(async ([name, pem]) => {
      const path = join(folder, `${server.port}-${name}.pem`);
      await writeFile(path, pem);
      return [`tls-${name}`, path];
    }),
  );
  const more = ['tls-auth-clients', asks ? 'yes' : 'no', 'tls-port', String(port)];
  await administer(server, ['CONFIG', 'SET', ...words.flat(), ...more]);
  return port;
}
