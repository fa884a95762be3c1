import type { KongConfig, KongRoute, KongService } from './kong.ts';

export interface NginxFromKongOptions {
  /** Listened on at 127.0.0.1. */
  port: number;
  /** Where the hosts of kong.yml (`chat-be:3000`, `gateway:3001`) are on this machine: `host:port`, one or more. */
  addresses: Readonly<Record<string, readonly string[]>>;
}

/**
 * What Kong does with the routes of a declarative file, in nginx's words: the text of an `http` block. Kong is nginx
 * underneath, so paths, `strip_path`, timeouts, upgrades, hashing, forwarded headers and those that a plugin sets have their
 * directives. Other plugins are not part of it.
 */
export function nginxFromKong(kong: KongConfig, { port, addresses }: NginxFromKongOptions): string {
  return [
    // Kong sends `Connection: keep-alive, Upgrade` for a WebSocket, `keep-alive` else.
    'map $http_upgrade $connection_of_upgrade { default "keep-alive, Upgrade"; "" "keep-alive"; }',
    'client_max_body_size 1m;',
    ...kong.services.map((service) => upstreamOf(kong, service, addresses)),
    'server {',
    `  listen 127.0.0.1:${port};`,
    '  location / { default_type application/json; return 404 \'{"message":"no Route matched with those values"}\'; }',
    ...kong.services.flatMap((service) => service.routes.flatMap((route) => locations(service, route))),
    '}',
  ].join('\n');
}

function upstreamOf(
  kong: KongConfig,
  service: KongService,
  addresses: NginxFromKongOptions['addresses'],
): string {
  const { hostname, host } = new URL(service.url);
  const balanced = kong.upstreams.find(({ name }) => name === hostname);
  const targets = balanced ? balanced.targets.map(({ target }) => target) : [host];
  const servers = targets.flatMap((target) => {
    const found = addresses[target];
    if (!found) throw new Error(`kong.yml names ${target}, and the test does not know where that is`);
    return found.map((address) => `server ${address};`);
  });
  const hash = balanced?.hash_on === 'ip' ? 'hash $remote_addr consistent; ' : '';
  return `upstream ${service.name} { ${hash}${servers.join(' ')} }`;
}

function locations(service: KongService, route: KongRoute): string[] {
  return route.paths.map((path) =>
    [
      // Kong's regular expressions begin where the path does. In quotes nginx takes a backslash for more than itself.
      path.startsWith('~')
        ? `  location ~ "^(?:${path.slice(1).replaceAll('\\', '\\\\')})" {`
        : `  location ${path} {`,
      // Without a path of its own, nginx passes the client's on as it is: strip_path false.
      `    proxy_pass http://${service.name}${route.strip_path ? '/' : ''};`,
      '    proxy_http_version 1.1;',
      '    proxy_set_header Upgrade $http_upgrade;',
      '    proxy_set_header Connection $connection_of_upgrade;',
      '    proxy_set_header X-Real-IP $remote_addr;',
      '    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
      '    proxy_set_header X-Forwarded-Proto $scheme;',
      '    proxy_set_header X-Forwarded-Host $host;',
      '    proxy_set_header X-Forwarded-Port $server_port;',
      ...headersSet(service).map(([name, value]) => `    proxy_set_header ${name} ${value};`),
      `    proxy_connect_timeout ${service.connect_timeout}ms;`,
      `    proxy_send_timeout ${service.write_timeout}ms;`,
      `    proxy_read_timeout ${service.read_timeout}ms;`,
      '  }',
    ].join('\n'),
  );
}

/** What `request-transformer` puts in the place of a client's, or beside what there is. */
const headersSet = ({ plugins = [] }: KongService): [name: string, value: string][] =>
  plugins
    .filter(({ name }) => name === 'request-transformer')
    .flatMap(({ config }) => (config.replace as { headers: string[] }).headers)
    .map((header) => header.split(':') as [string, string]);
