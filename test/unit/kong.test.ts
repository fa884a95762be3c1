import { describe, expect, test } from 'bun:test';
import { createChatRoutes } from '../../src/api/chat-routes.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { createLog } from '../../src/shared/log.ts';
import { createTestApi } from '../support/api.ts';
import { createDocumented } from '../support/documented.ts';
import { type KongConfig, type KongUpstream, readKong, routeOf } from '../support/kong.ts';

const plain = await readKong('kong.yml');
const withJwt = await readKong('kong.jwt.yml');
const routes = (kong: KongConfig) => kong.services.flatMap((service) => service.routes);
interface HealthCheck {
  http_path: string;
  timeout: number;
  healthy: { interval: number };
  unhealthy: { http_failures: number };
}
/** An api that is only described. */
const none = {} as never;
const log = createLog({ logLevel: 'silent' }, 'test');
const never = {
  database: none,
  facts: none,
  notifier: none,
  chatRoutes: createChatRoutes({
    ...{
      database: none,
      facts: none,
      presence: none,
      notifier: none,
      sendMessage: none,
      liveMax: none,
      maxParticipants: none,
      log,
    },
  }),
};
const hasJwt = (kong: KongConfig, path: string) =>
  routeOf(kong, path)?.route.plugins?.some(({ name }) => name === 'jwt') ?? false;

for (const [file, kong] of [
  ['kong.yml', plain],
  ['kong.jwt.yml', withJwt],
] as const) {
  describe(file, () => {
    test('is in the declarative format of Kong 3', () => {
      expect(kong._format_version).toBe('3.0');
    });

    test('keeps the names and the address of the setup guide', () => {
      const api = kong.services.find(({ name }) => name === 'chat-be-service');
      expect(api?.url).toBe('http://chat-be:3000');
      expect(routes(kong).map(({ name }) => name)).toEqual(
        expect.arrayContaining(['chat-rest-route', 'auth-rest-route', 'chat-socket-route']),
      );
    });

    test.each([
      ['/auth/login', 'chat-be-service', 'auth-rest-route'],
      ['/chats', 'chat-be-service', 'chat-rest-route'],
      ['/chats/11111111-1111-1111-1111-111111111111/messages', 'chat-be-service', 'chat-rest-route'],
      // Kong writes what is reserved in a path as it came, and the rest as it is.
      [
        '/chats/11111111-1111-1111-1111-111111111111/messages/11111111-1111-1111-1111-111111111111/reactions/👍',
        'chat-be-service',
        'chat-rest-route',
      ],
      [
        '/chats/11111111-1111-1111-1111-111111111111/messages/11111111-1111-1111-1111-111111111111/reactions/%3Aparty_parrot+1%3A',
        'chat-be-service',
        'chat-rest-route',
      ],
      ['/users', 'chat-be-service', 'user-rest-route'],
      ['/users/11111111-1111-1111-1111-111111111111', 'chat-be-service', 'user-rest-route'],
      ['/users/me', 'chat-be-service', 'user-rest-route'],
      ['/presence', 'chat-be-service', 'user-rest-route'],
      ['/', 'chat-be-service', 'web-client-route'],
      ['/web/main.js', 'chat-be-service', 'web-client-route'],
      ['/socket.io/', 'chat-gateway-service', 'chat-socket-route'],
    ])('%s goes to %s by %s', (path, service, route) => {
      const found = routeOf(kong, path);
      expect({ service: found?.service.name, route: found?.route.name }).toEqual({ service, route });
    });

    test('lets out every route of a user, and none that is for the operator', async () => {
      const service = { SERVICE_TOKEN: 'a service token that is long enough for it' };
      const { document } = await createDocumented(
        (await createTestApi({ ...never, environment: service })).api,
      );
      const out = Object.entries(document.paths).filter(([path]) => {
        const asked = path.replace(/\{\w+Id\}/g, '11111111-1111-1111-1111-111111111111');
        const keys = ['👍', '%F0%9F%91%8D', ':a_+b:'];
        return keys.every((key) => routeOf(kong, asked.replace('{key}', key)) !== undefined);
      });
      const forUsers = Object.entries(document.paths).filter(([, methods]) =>
        Object.values(methods).every(
          ({ security, tags }) => !('serviceToken' in (security[0] ?? {})) && !tags.includes('operation'),
        ),
      );
      expect(out.map(([path]) => path)).toEqual(forUsers.map(([path]) => path));
      expect(out.length).toBeGreaterThan(10);
      expect(out.length).toBeLessThan(Object.keys(document.paths).length - 4);
    });

    test('nobody who comes through it is the host’s own backend', () => {
      const headers = ['X-Act-As:nobody'];
      for (const service of kong.services) {
        const isApi = service.name === 'chat-be-service';
        expect(service.plugins).toEqual(
          isApi
            ? [{ name: 'request-transformer', config: { replace: { headers }, add: { headers } } }]
            : undefined,
        );
      }
    });

    test.each([
      ...['/auth/tokens', '/users/external', '/users/external/x', `/users/${'1'.repeat(36)}/deactivate`],
      ...[
        '/chats\\..\\readyz',
        '/chats/..\\readyz',
        '/chats/11111111-1111-1111-1111-111111111111/messages/11111111-1111-1111-1111-111111111111/reactions/\\..\\readyz',
        '/chats/1/reactions/..',
        '/auth\\..\\openapi.json',
        '/auth/login\\..\\..\\readyz',
      ],
      ...[
        '/users\\external\\x',
        '/socket.io\\..\\readyz',
        '/socket.io/\\..\\..\\readyz',
        '/chats.json',
        '/authx',
        '/socket.iox',
        '/web/\\..\\readyz',
      ],
      ...['..\\readyz', 'x/..', ''].map(
        (key) => `/chats/${'1'.repeat(36)}/messages/${'1'.repeat(36)}/reactions/${key}`,
      ),
    ])('%s goes nowhere', (path) => expect(routeOf(kong, path)).toBeUndefined());

    test('a gateway that is leaving is out before it closes what it has', () => {
      const [upstream] = kong.upstreams;
      const { active } = (upstream as KongUpstream & { healthchecks: { active: HealthCheck } }).healthchecks;
      const noticedAfter = active.healthy.interval * active.unhealthy.http_failures + active.timeout;
      expect(active.http_path).toBe('/readyz');
      const { shutdownDelayMs } = parseConfig({ NODE_ENV: 'production' }, { needsSecret: false });
      expect(noticedAfter * 1_000).toBeLessThan(shutdownDelayMs);
    });

    test('no path is cut, and both protocols are open', () => {
      for (const route of routes(kong)) {
        expect(route.strip_path).toBe(false);
        expect(route.protocols.toSorted()).toEqual(['http', 'https']);
      }
    });

    test('sockets may be silent for long, far beyond the pings', () => {
      const gateway = kong.services.find(({ name }) => name === 'chat-gateway-service');
      expect(gateway?.read_timeout).toBeGreaterThanOrEqual(3_600_000);
      expect(gateway?.write_timeout).toBeGreaterThanOrEqual(3_600_000);
    });

    test('polling stays with one gateway, by what every request of a client has', () => {
      const upstream = kong.upstreams.find(
        ({ name }) => name === new URL(routeOf(kong, '/socket.io/')?.service.url ?? '').hostname,
      );
      expect(upstream).toMatchObject({ algorithm: 'consistent-hashing', hash_on: 'ip' });
      expect(upstream?.targets.map(({ target }) => target)).toEqual(['gateway:3001']);
    });
  });
}

test('kong.yml checks no tokens', () => {
  expect(routes(plain).every(({ plugins }) => plugins === undefined)).toBe(true);
  expect(plain.consumers).toBeUndefined();
});

describe("Kong's JWT plugin", () => {
  test('guards chats and users, and neither logins nor sockets', () => {
    const user = '/users/11111111-1111-1111-1111-111111111111';
    for (const path of ['/chats', '/chats/x/messages', '/users', user, '/presence'])
      expect(hasJwt(withJwt, path)).toBe(true);
    for (const path of ['/auth/login', '/auth/refresh', '/socket.io/'])
      expect(hasJwt(withJwt, path)).toBe(false);
    expect(withJwt.plugins).toBeUndefined();
    expect(JSON.stringify(withJwt.services.map(({ plugins }) => plugins))).not.toContain('jwt');
  });

  test('verifies the expiry, takes tokens from the Authorization header alone, and lets preflights pass', () => {
    for (const route of routes(withJwt))
      for (const plugin of route.plugins ?? [])
        expect(plugin.config).toEqual({
          key_claim_name: 'iss',
          claims_to_verify: ['exp'],
          header_names: ['authorization'],
          uri_param_names: [],
          cookie_names: [],
          secret_is_base64: false,
          run_on_preflight: false,
        });
  });

  test("knows one credential: the default issuer's, HS256, with no secret in the repository", () => {
    expect(withJwt.consumers).toEqual([
      {
        username: 'confab',
        jwt_secrets: [
          { key: parseConfig({}).auth.issuer, algorithm: 'HS256', secret: 'put JWT_SECRET here' },
        ],
      },
    ]);
  });

  test('is all that the two files differ in', () => {
    const without = withJwt.services.map(({ routes: all, ...service }) => ({
      ...service,
      routes: all.map(({ plugins: _, ...route }) => route),
    }));
    expect(without).toEqual(plain.services);
    expect(withJwt.upstreams).toEqual(plain.upstreams);
  });
});
