import type { TlsFiles } from '../tls.ts';

/** How RabbitMQ is reached, and as whom. */
export interface BrokerAddress {
  /** Nodes of one cluster; each connect begins with another. */
  hosts: readonly BrokerNode[];
  encrypted: boolean;
  username: string;
  password: string;
  vhost: string;
  /** `EXTERNAL`: RabbitMQ takes the name from the client's certificate. */
  mechanism: AuthMechanism;
  /** The name that the server's certificate must have, where that is not the host. */
  serverName?: string;
  tls: TlsFiles;
  /** What else AMQP negotiates; unset: the client's own choice. */
  heartbeatSeconds?: number;
  channelMax?: number;
  frameMax?: number;
  maxFrameSize?: number;
  locale?: string;
}

export interface BrokerNode {
  /** A name, an IPv4 or an IPv6 address, this without brackets. */
  host: string;
  port: number;
}

/** As it was written: perhaps without a port. */
export type GivenHost = Pick<BrokerNode, 'host'> & { port: number | undefined };

export type AuthMechanism = (typeof mechanisms)[number];

const mechanisms = ['PLAIN', 'AMQPLAIN', 'EXTERNAL'] as const;

/** What is wrong with an address, in words that go on after the variable's name. */
export class AddressProblem extends Error {
  override name = 'AddressProblem';
}

/**
 * One host or several, separated by commas: `rabbit`, `rabbit:5673`, `10.0.0.1`, `::1`, `[::1]:5672`, `fe80::1%eth0`.
 * @throws AddressProblem
 */
export function parseBrokerHosts(value: string): GivenHost[] {
  if (value.includes('://')) throw new AddressProblem('must be a host, not a URL: RABBITMQ_URI takes one');
  const hosts = value.split(',').flatMap((part) => (part.trim() === '' ? [] : [hostOf(part.trim())]));
  if (hosts.length === 0) throw new AddressProblem('must name a host');
  return hosts;
}

function hostOf(text: string): GivenHost {
  const bare = text.split(':').length > 2 && !text.startsWith('[');
  const [, bracketed, plain, port] = bare
    ? ['', text, undefined, undefined]
    : (/^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/.exec(text) ?? []);
  const host = bracketed ?? plain;
  const isAddress = bracketed === undefined || /^[0-9a-f:.]+(?:%[\w.-]+)?$/i.test(bracketed);
  if (!host || /[\s/@?#[\]%\\]/.test(plain ?? '') || !isAddress) {
    throw new AddressProblem(`must be hosts like rabbit, 10.0.0.1:5672 or [::1]:5672, not ${text}`);
  }
  return { host, port: portOf(port) };
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const port = Number(text);
  if (port < 1 || port > 65_535) throw new AddressProblem(`has the port ${text}: it must be 1 to 65535`);
  return port;
}

/** The scheme, the user's part up to the last `@`, the hosts, the virtual host, the parameters. */
const uriPattern = /^(amqps?):\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i;

/**
 * By its text, because to `URL` a virtual host `..` is a path, and several hosts are none: `amqp://user:password@host/vhost`,
 * with several hosts separated by commas, or several whole URIs that differ in their hosts alone. Without a user it is guest,
 * as everywhere.
 * @throws AddressProblem
 */
export function parseBrokerUri(value: string): BrokerAddress {
  const [first, ...more] = value.split(/,(?=amqps?:\/\/)/i).map(addressOf);
  if (!first) throw new AddressProblem('must be a URI');
  const { hosts, ...rest } = first;
  for (const { hosts: furtherHosts, ...further } of more) {
    if (!Bun.deepEquals(further, rest))
      throw new AddressProblem('must hold URIs that differ in their hosts alone');
    hosts.push(...furtherHosts);
  }
  return { hosts, ...rest };
}

function addressOf(uri: string): BrokerAddress & { hosts: BrokerNode[] } {
  const [matched, scheme = '', userInfo, authority = '', path = '', query = ''] = uriPattern.exec(uri) ?? [];
  if (matched === undefined) throw notOne();
  const [username, password] = userInfo === undefined ? ['guest', 'guest'] : credentialsOf(userInfo);
  const parameters = parametersOf(query);
  const encrypted = scheme.toLowerCase() === 'amqps';
  if (parameters.mechanism === 'EXTERNAL' && !encrypted) {
    throw new AddressProblem(
      'asks for auth_mechanism=EXTERNAL, which needs amqps:// and a client certificate',
    );
  }
  return {
    hosts: uriHosts(authority).map(({ host, port = usualPort(encrypted) }) => ({ host, port })),
    encrypted,
    username,
    password,
    vhost: path === '' ? '/' : decoded(path),
    mechanism: 'PLAIN',
    ...parameters,
  };
}

/** What is wrong is not repeated: it may be a part of the password. */
const notOne = (): AddressProblem =>
  new AddressProblem(
    'must be a URI like amqp://user:password@host:5672/vhost (amqps:// with TLS); ' +
      'in user, password and vhost the characters / ? # @ % are written %2F %3F %23 %40 %25',
  );

function uriHosts(authority: string): GivenHost[] {
  if (authority === '') return [{ host: 'localhost', port: undefined }];
  try {
    return parseBrokerHosts(authority);
  } catch {
    throw notOne();
  }
}

function credentialsOf(userInfo: string): [string, string] {
  if (/@.*,/.test(userInfo)) {
    throw new AddressProblem(
      'must name the user once, before the first host; an @ in a password is written %40',
    );
  }
  const at = userInfo.indexOf(':');
  return at < 0 ? [decoded(userInfo), ''] : [decoded(userInfo.slice(0, at)), decoded(userInfo.slice(at + 1))];
}

/** A `%` that begins no escape stands for itself. */
function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      throw new AddressProblem('holds percent escapes that are no UTF-8');
    }
  });
}

type Parameters = Partial<Omit<BrokerAddress, 'hosts' | 'tls'>> & Pick<BrokerAddress, 'tls'>;

/** As RabbitMQ's own clients name them, and amqplib. */
const readers: Readonly<Record<string, (value: string, name: string) => Partial<BrokerAddress>>> = {
  heartbeat: (value, name) => ({ heartbeatSeconds: integerOf(value, name, 0, 65_535) }),
  channel_max: (value, name) => ({ channelMax: integerOf(value, name, 0, 65_535) }),
  channelMax: (value, name) => ({ channelMax: integerOf(value, name, 0, 65_535) }),
  frame_max: (value, name) => ({ frameMax: frameSizeOf(value, name) }),
  frameMax: (value, name) => ({ frameMax: frameSizeOf(value, name) }),
  maxFrameSize: (value, name) => ({ maxFrameSize: frameSizeOf(value, name) }),
  locale: (value) => ({ locale: value }),
  auth_mechanism: (value) => ({ mechanism: mechanismOf(value) }),
  server_name_indication: (value) => ({ serverName: value }),
  verify(value) {
    if (value === 'verify_peer') return {};
    throw new AddressProblem(
      `has verify=${value}: the server's certificate is always checked; RABBITMQ_TLS_CA takes a CA of your own`,
    );
  },
};
const files: Readonly<Record<string, keyof TlsFiles>> = {
  cacertfile: 'ca',
  certfile: 'cert',
  keyfile: 'key',
};

function parametersOf(query: string): Parameters {
  const parameters: Parameters = { tls: {} };
  const seen = new Set<string>();
  for (const pair of query.split('&').filter((part) => part !== '')) {
    const [name = '', value = ''] = pair.split(/=(.*)/s).map(decoded);
    const file = files[name];
    const read = readers[name];
    if (!file && !read) {
      const known = [...Object.keys(readers), ...Object.keys(files)].join(', ');
      throw new AddressProblem(
        `has the parameter ${name}, which Confab does not know (it knows ${known}; certificates: RABBITMQ_TLS_CA, ` +
          'RABBITMQ_TLS_CERT, RABBITMQ_TLS_KEY)',
      );
    }
    if (value === '' || seen.has(name)) {
      throw new AddressProblem(`has the parameter ${name} ${value === '' ? 'without a value' : 'twice'}`);
    }
    seen.add(name);
    if (file) parameters.tls[file] = value;
    else Object.assign(parameters, read?.(value, name));
  }
  return parameters;
}

function integerOf(value: string, name: string, lowest: number, highest: number): number {
  if (/^\d{1,9}$/.test(value) && Number(value) >= lowest && Number(value) <= highest) return Number(value);
  throw new AddressProblem(`has ${name}=${value}: it must be a whole number, ${lowest} to ${highest}`);
}

/** 0: no limit; else what AMQP allows. */
const frameSizeOf = (value: string, name: string): number =>
  value === '0' ? 0 : integerOf(value, name, 4_096, 999_999_999);

function mechanismOf(value: string): AuthMechanism {
  const mechanism = mechanisms.find((each) => each === value.toUpperCase());
  if (mechanism) return mechanism;
  throw new AddressProblem(`has auth_mechanism=${value}: it must be ${mechanisms.join(', ')}`);
}

/** As it is shown in lines of the log. */
export const addressText = ({ host, port }: BrokerNode): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** Of a host that names none. */
export const usualPort = (encrypted: boolean): number => (encrypted ? 5671 : 5672);
