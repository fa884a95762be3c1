import { readYaml } from './repository.ts';

export interface KongPlugin {
  name: string;
  config: Record<string, unknown>;
}

export interface KongRoute {
  name: string;
  paths: string[];
  strip_path: boolean;
  protocols: string[];
  plugins?: KongPlugin[];
}

export interface KongService {
  name: string;
  url: string;
  /** Milliseconds, like the two below. */
  connect_timeout: number;
  write_timeout: number;
  read_timeout: number;
  routes: KongRoute[];
  plugins?: KongPlugin[];
}

export interface KongUpstream {
  name: string;
  algorithm: string;
  hash_on: string;
  hash_fallback: string;
  targets: { target: string; weight: number }[];
  healthchecks: Record<string, unknown>;
}

/** What we use of Kong's declarative format. */
export interface KongConfig {
  _format_version: string;
  _transform: boolean;
  services: KongService[];
  upstreams: KongUpstream[];
  plugins?: KongPlugin[];
  consumers?: { username: string; jwt_secrets: { key: string; algorithm: string; secret: string }[] }[];
}

export const readKong = (file: 'kong.yml' | 'kong.jwt.yml'): Promise<KongConfig> =>
  readYaml<KongConfig>(`deploy/kong/${file}`);

/** Whether a path of a route takes this one: by its beginning, or, after a tilde, by a regular expression from there. */
const takes = (pattern: string, path: string): boolean =>
  pattern.startsWith('~') ? new RegExp(`^(?:${pattern.slice(1)})`).test(path) : path.startsWith(pattern);

/** The route Kong takes for a path: a regular expression before a prefix, then the longest wins. */
export function routeOf(
  kong: KongConfig,
  path: string,
): { service: KongService; route: KongRoute } | undefined {
  const matches = kong.services.flatMap((service) =>
    service.routes.flatMap((route) =>
      route.paths.filter((pattern) => takes(pattern, path)).map((pattern) => ({ service, route, pattern })),
    ),
  );
  const rank = ({ pattern }: { pattern: string }) => (pattern.startsWith('~') ? 1e6 : 0) + pattern.length;
  return matches.sort((a, b) => rank(b) - rank(a))[0];
}
