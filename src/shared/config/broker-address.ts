import type { TlsFiles } from '../tls.ts';
import {
  AddressProblem,
  credentialsOf,
  decoded,
  type GivenHost,
  parseHosts,
  type ServerNode,
} from './server-address.ts';

/** How RabbitMQ is reached, and as whom. */
export interface BrokerAddress {
  /** Nodes of one cluster; each connect begins with another. */
  hosts: readonly ServerNode[];
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

export type AuthMechanism = (typeof mechanisms)[number];

const mechanisms = ['PLAIN', 'AMQPLAIN', 'EXTERNAL'] as const;

/**
 * One host or several: `rabbit`, `rabbit:5673`.
 * @throws AddressProblem
 */
export const parseBrokerHosts = (value: string): GivenHost[] =>
  parseHosts(value, { example: 'rabbit', port: 5672, urlVariable: 'RABBITMQ_URI' });

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

function addressOf(uri: string): BrokerAddress & { hosts: ServerNode[] } {
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

/** Of a host that names none. */
export const usualPort = (encrypted: boolean): number => (encrypted ? 5671 : 5672);
