import type { Config } from './config.ts';

/** Whether a request or socket with this `Origin` may come in; one without the header may (no browser sent it). */
export type AllowedOrigin = (origin: string | null | undefined) => boolean;

const localHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** The listed origins; with no list any localhost origin outside production, and none there. */
export function createAllowedOrigin({
  corsOrigins,
  environment,
}: Pick<Config, 'corsOrigins' | 'environment'>): AllowedOrigin {
  const listed = new Set(corsOrigins?.map((origin) => new URL(origin).origin));
  const localToo = corsOrigins === undefined && environment !== 'production';

  return (origin) => {
    if (origin === null || origin === undefined) return true;
    if (!URL.canParse(origin)) return false;
    const url = new URL(origin);
    if (listed.has(url.origin)) return true;
    return (
      localToo &&
      (url.protocol === 'http:' || url.protocol === 'https:') &&
      (localHosts.has(url.hostname) || url.hostname.endsWith('.localhost'))
    );
  };
}
