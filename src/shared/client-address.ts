/**
 * @param trustProxy whether a proxy of ours stands before: then the last entry of X-Forwarded-For is what it saw. Those
 * before it are the client's own words.
 */
export function addressOf(
  request: Request,
  server: { requestIP(request: Request): { address: string } | null } | undefined,
  trustProxy: boolean,
): string {
  const forwarded = trustProxy && request.headers.get('x-forwarded-for')?.split(',').at(-1)?.trim();
  return limitedAddress(forwarded || (server?.requestIP(request)?.address ?? 'unknown'));
}

/** One customer's line has a whole /64 of IPv6: it counts as one address. IPv4 in IPv6 is IPv4. */
export function limitedAddress(address: string): string {
  const ipv4 = address.match(/^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i)?.[1];
  if (ipv4 !== undefined) return ipv4;
  if (!address.includes(':')) return address.slice(0, 64);
  const [head = '', tail] = (address.split('%', 1)[0] ?? '').split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? 0 : tail.split(':').length;
    while (groups.length + after < 8) groups.push('0');
    groups.push(...(tail === '' ? [] : tail.split(':')));
  }
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
