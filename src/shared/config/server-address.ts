/** One server of one or several. */
export interface ServerNode {
  /** A name, an IPv4 or an IPv6 address, this without brackets. */
  host: string;
  port: number;
}

/** As it was written: perhaps without a port. */
export type GivenHost = Pick<ServerNode, 'host'> & { port: number | undefined };

/** What is wrong with an address, in words that go on after the variable's name. */
export class AddressProblem extends Error {
  override name = 'AddressProblem';
}

/**
 * One host or several, separated by commas: `name`, `name:5673`, `10.0.0.1`, `::1`, `[::1]:5672`, `fe80::1%eth0`.
 * @param words what a problem is explained with
 * @throws AddressProblem
 */
export function parseHosts(
  value: string,
  words: { example: string; port: number; urlVariable: string },
): GivenHost[] {
  if (value.includes('://')) {
    throw new AddressProblem(`must be a host, not a URL: ${words.urlVariable} takes one`);
  }
  const hosts = value.split(',').flatMap((part) => (part.trim() === '' ? [] : [hostOf(part.trim(), words)]));
  if (hosts.length === 0) throw new AddressProblem('must name a host');
  return hosts;
}

function hostOf(text: string, { example, port: usual }: { example: string; port: number }): GivenHost {
  const bare = text.split(':').length > 2 && !text.startsWith('[');
  const [, bracketed, plain, port] = bare
    ? ['', text, undefined, undefined]
    : (/^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/.exec(text) ?? []);
  const host = bracketed ?? plain;
  const isAddress = bracketed === undefined || /^[0-9a-f:.]+(?:%[\w.-]+)?$/i.test(bracketed);
  if (!host || /[\s/@?#[\]%\\]/.test(plain ?? '') || !isAddress) {
    throw new AddressProblem(
      `must be hosts like ${example}, 10.0.0.1:${usual} or [::1]:${usual}, not ${text}`,
    );
  }
  return { host, port: portOf(port) };
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const port = Number(text);
  if (port < 1 || port > 65_535) throw new AddressProblem(`has the port ${text}: it must be 1 to 65535`);
  return port;
}

/** Of a URL's part before the last `@`: user and password. */
export function credentialsOf(userInfo: string): [string, string] {
  if (/@.*,/.test(userInfo)) {
    throw new AddressProblem(
      'must name the user once, before the first host; an @ in a password is written %40',
    );
  }
  const at = userInfo.indexOf(':');
  return at < 0 ? [decoded(userInfo), ''] : [decoded(userInfo.slice(0, at)), decoded(userInfo.slice(at + 1))];
}

/** A `%` that begins no escape stands for itself. */
export function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      throw new AddressProblem('holds percent escapes that are no UTF-8');
    }
  });
}

/** As it is shown in lines of the log. */
export const addressText = ({ host, port }: ServerNode): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;
