import { BlockList, isIPv4 } from 'node:net';
import type { Config } from '../../shared/config.ts';
import { ChatError } from '../../shared/errors.ts';
import type { Metrics } from '../../shared/metrics/metrics.ts';
import { bearerToken, createTokenCheck } from './bearer-token.ts';
import { type Caller, type Route, route } from './route.ts';

export interface MetricsPage {
  metrics: Metrics;
  /** Any of them is good. */
  tokens: readonly string[];
  /** Who is answered where there is no token. */
  openTo: 'this machine' | 'private networks';
}

/**
 * Where a proxy of ours stands before, what comes through it says so, and what says nothing comes from within. Elsewhere a balancer that
 * says nothing may stand there, whose own address is a private one.
 */
export const pageOfSeveral = (
  metrics: Metrics,
  { metricsTokens: tokens, trustProxy }: Pick<Config, 'metricsTokens' | 'trustProxy'>,
): MetricsPage => ({ metrics, tokens, openTo: trustProxy ? 'private networks' : 'this machine' });

export const pageOfSingle = (
  metrics: Metrics,
  { metricsTokens: tokens }: Pick<Config, 'metricsTokens'>,
): MetricsPage => ({ metrics, tokens, openTo: 'this machine' });

/**
 * For whoever has a token; where there is none, for whoever asks from near: what has come through a proxy has not, whatever the proxy's
 * own address is.
 */
export function metricsRoute({ metrics: { registry }, tokens, openTo }: MetricsPage): Route {
  const hasToken = createTokenCheck(tokens);
  const near = openTo === 'this machine' ? loopback : privateNetworks;
  const isNamed = openTo === 'this machine' ? isForLoopback : () => true;

  /** @throws ChatError `token_missing`, `token_invalid`, `not_allowed` */
  function assertMayRead({ request, peer }: Caller): void {
    if (tokens.length > 0) {
      if (hasToken(request)) return;
      throw new ChatError(bearerToken(request) === undefined ? 'token_missing' : 'token_invalid');
    }
    const address = peer();
    const isNear = address !== undefined && isIn(near, address) && isNamed(request);
    if (!isNear || proxied.some((name) => request.headers.has(name)))
      throw new ChatError('not_allowed', `Without METRICS_TOKEN metrics are for ${openTo} alone.`);
  }

  return route({
    method: 'GET',
    path: '/metrics',
    anyQuery: true,
    needs: {
      security: 'none',
      async enter(caller) {
        assertMayRead(caller);
        return {};
      },
    },
    handle: async () => ({ status: 200, body: await registry.metrics(), type: registry.contentType }),
  });
}

/** What a proxy adds to what it passes on. */
const proxied = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'];

const loopback = listOf('127.0.0.0/8', '::1/128');
/** RFC 1918, RFC 6598, RFC 4193, and what a link has without any of them. */
const privateNetworks = listOf(
  ...['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16'],
  ...['::1/128', 'fc00::/7', 'fe80::/10'],
);

function listOf(...networks: string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    list.addSubnet(address, Number(bits), familyOf(address));
  }
  return list;
}

/** A socket for both families says IPv4 as `::ffff:127.0.0.1`; one of a link has its interface behind a `%`. */
function isIn(list: BlockList, peer: string): boolean {
  const address = peer.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  return list.check(address, familyOf(address));
}

/** A proxy on this machine that adds nothing mostly passes on the name that was asked for: that of the product, unless somebody claims another. */
function isForLoopback({ url }: Request): boolean {
  const host = URL.parse(url)?.hostname ?? '';
  return host === 'localhost' || isIn(loopback, host.replace(/^\[|\]$/g, ''));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}
