import { isIPv4, isIPv6 } from 'node:net';

/**
 * The address that limits are counted for.
 * @param trustProxy whether a proxy of ours stands before: then the last entry of X-Forwarded-For is what it saw. Those
 * before it are the client's own words. A proxy that does not say an address (`unknown`) is counted itself.
 */
export function addressOf(
  request: Request,
  server: { requestIP(request: Request): { address: string } | null } | undefined,
  trustProxy: boolean,
): string {
  const forwarded = trustProxy ? lastOf(request.headers.get('x-forwarded-for') ?? '') : '';
  return limitedAddress(forwarded) ?? limitedAddress(server?.requestIP(request)?.address ?? '') ?? 'unknown';
}

const lastOf = (list: string): string => list.slice(list.lastIndexOf(',') + 1);

/** `203.0.113.7`, also with a port, and as a socket for both families says it: by far the most, so it comes first. */
const plainIpv4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/i;
/** `[2001:db8::7]`, also with a port. */
const bracketed = /^\[([^\]]*)\](?::\d+)?$/;
/** The longest is an IPv6 address that ends in an IPv4 one, with a zone, in brackets, with a port. */
const mostCharacters = 100;

/**
 * One customer's line has a /56 of IPv6, or more: it counts as one address. IPv4 in IPv6 is IPv4.
 * @param text in any of the forms in which proxies write addresses
 * @returns undefined for what is no address
 */
export function limitedAddress(text: string): string | undefined {
  if (text.length > mostCharacters) return undefined;
  const written = text.trim().replace(/^"(.*)"$/, '$1');
  const ipv4 = plainIpv4.exec(written)?.[1];
  if (ipv4 !== undefined) return isIPv4(ipv4) ? ipv4 : undefined;
  const [ipv6 = ''] = (bracketed.exec(written)?.[1] ?? written).split('%', 1);
  if (!isIPv6(ipv6)) return undefined;
  const groups = groupsOf(ipv6);
  const mapped = ipv4In(groups);
  if (mapped !== undefined) return mapped;
  const [a = 0, b = 0, c = 0, d = 0] = groups;
  return `${[a, b, c, d & 0xff00].map((group) => group.toString(16)).join(':')}::/56`;
}

/** The /48 of a limited address, which is what a provider hands to a site; an IPv4 address is its own. */
export function networkOf(limited: string): string {
  return limited.endsWith('::/56') ? `${limited.split(':', 3).join(':')}::/48` : limited;
}

/** The eight numbers of a valid IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const before = numbersOf(head);
  if (tail === undefined) return before;
  const after = numbersOf(tail);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function numbersOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return Number.parseInt(group, 16);
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

/** Of `::ffff:203.0.113.7`, in whatever way it is written. */
function ipv4In(groups: readonly number[]): string | undefined {
  const [mark, high = 0, low = 0] = groups.slice(5);
  if (mark !== 0xffff || groups.slice(0, 5).some((group) => group !== 0)) return undefined;
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}
