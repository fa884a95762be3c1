/**
 * Whose guesses count together: of IPv6 the /48, which is what a customer gets at most, of IPv4 the address.
 * @param address as `limitedAddress` gives it
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  return `${address.split(':').slice(0, 3).join(':')}::/48`;
}
