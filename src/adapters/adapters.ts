import type { AdapterParts, Adapters, Ground } from './ground.ts';

/** The one switch. What the other ground needs is not even loaded. */
export async function createAdapters(ground: Ground, parts: AdapterParts): Promise<Adapters> {
  switch (ground.kind) {
    case 'embedded': {
      const { embeddedAdapters } = await import('./embedded.ts');
      return embeddedAdapters({ ...parts, folder: ground.folder });
    }
    case 'servers': {
      const { serverAdapters } = await import('./servers.ts');
      return serverAdapters({ ...parts, ...(ground.waitMs === undefined ? {} : { waitMs: ground.waitMs }) });
    }
  }
}
