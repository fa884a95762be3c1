import { userInfo } from 'node:os';
import type { TlsFiles } from '../tls.ts';
import { type TlsOptions, tlsOptions } from './tls-options.ts';

/** One server to try. A `name` that begins with a slash is the folder of a Unix socket. */
export interface DatabaseHost {
  name: string;
  /** Where it is, where the name is only for its certificate (`hostaddr`). */
  address: string | undefined;
  port: number;
}

/** What a connection string says, with what it leaves out. */
export interface DatabaseTarget {
  /** In the order in which they are tried. */
  hosts: readonly DatabaseHost[];
  shuffled: boolean;
  user: string;
  password: string;
  database: string;
  tls: TlsOptions;
  /** How long one connection may take; undefined where it is not said. */
  connectTimeoutMs: number | undefined;
  applicationName: string | undefined;
  /** For PostgreSQL itself, at the start of a session. */
  startParameters: Readonly<Record<string, string>>;
}

/** What is given beside the connection string, and wins over it. */
export interface DatabaseSecrets {
  password?: string | undefined;
  tls?: TlsFiles | undefined;
}

/** A connection string that cannot be used; the message says why, as the end of a sentence that begins with its name. */
export class ConnectionStringError extends Error {
  override name = 'ConnectionStringError';
}

type Parameters = Map<string, string>;

const refuse = (reason: string): never => {
  throw new ConnectionStringError(reason);
};

/**
 * Reads what libpq reads: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING, as a URI or as
 * `key=value` pairs. The environment (`PGHOST` …) and files (`.pgpass`, services) are not looked at.
 * @throws ConnectionStringError where it is none, where it asks for what is not known here, and where it contradicts itself
 */
export function parseConnectionString(text: string, secrets: DatabaseSecrets = {}): DatabaseTarget {
  const scheme = /^postgres(?:ql)?:\/\//.exec(text)?.[0];
  if (scheme !== undefined) return targetOf(readUri(text.slice(scheme.length)), secrets);
  if (/^\s*\w+\s*=/.test(text)) return targetOf(readPairs(text), secrets);
  return refuse('must be a URL that begins with postgres:// or postgresql://, or `key=value` pairs');
}

/** `[user[:password]@][host[:port],…][/database][?key=value&…]`; a `#` is a letter like any other. */
function readUri(text: string): Parameters {
  const given: Parameters = new Map();
  const at = text.search(/[@/]/);
  let rest = text;
  if (text[at] === '@') {
    const [user = '', password] = splitAt(text.slice(0, at), ':');
    if (user !== '') given.set('user', decode(user));
    if (password !== undefined) given.set('password', decode(password));
    rest = text.slice(at + 1);
  }
  const [, authority = '', path = '', query = ''] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest) ?? [];
  // libpq would take the first, and go to a host whose name is the rest of the password.
  if (`${authority}${path}`.includes('@')) refuse(`has more than one @: ${howToWriteSecrets}`);
  readHosts(authority, given);
  if (path !== '') given.set('dbname', decode(path));
  // One at the end says nothing.
  for (const pair of query === '' ? [] : query.replace(/&$/, '').split('&')) {
    const [key = '', value] = splitAt(pair, '=');
    if (value === undefined) refuse('has a parameter without a value: & is written %26');
    // As JDBC writes it; libpq knows it too.
    if (key === 'ssl' && value === 'true') given.set('sslmode', 'require');
    else given.set(decode(key), decode(value ?? ''));
  }
  return given;
}

const howToWriteSecrets =
  'in a user or password @ is written %40, / is %2F and % is %25, or the password is given as DATABASE_PASSWORD';

function readHosts(authority: string, given: Parameters): void {
  if (authority === '') return;
  const hosts = authority.split(',').map((each) => {
    const [, bracketed, plain = '', port] =
      /^(?:\[([^\]]+)\]|([^:[\]]*))(?::(\d*|%.*))?$/s.exec(each) ??
      refuse(`has a host or a port that is none: an IPv6 address is in brackets, and ${howToWriteSecrets}`);
    return { name: decode(bracketed ?? plain), port: decode(port ?? '') };
  });
  given.set('host', hosts.map(({ name }) => name).join(','));
  if (hosts.some(({ port }) => port !== '')) given.set('port', hosts.map(({ port }) => port).join(','));
}

/** `host=… dbname='…'`: a backslash in a value, and a quote in one that is quoted, has a backslash before it. */
function readPairs(text: string): Parameters {
  const given: Parameters = new Map();
  const pair = /\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(?!')((?:[^\s\\]|\\.)*))(?=\s|$)/sy;
  const end = text.trimEnd().length;
  while (pair.lastIndex < end) {
    const from = pair.lastIndex;
    const [, key = '', quoted, plain = ''] =
      pair.exec(text) ??
      refuse(`cannot be read from its character ${from + 1} on: key=value pairs, or key='a value'`);
    given.set(key, (quoted ?? plain).replace(/\\(.)/gs, '$1'));
  }
  return given;
}

function splitAt(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    return refuse(`holds a % that begins no code of UTF-8: ${howToWriteSecrets}`);
  }
  return decoded.includes('\0') ? refuse('holds %00') : decoded;
}

/** What has no meaning here: the sockets and the deadlines are our own. */
const withoutEffect = new Set(
  (
    'keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout ' +
    'fallback_application_name sslcompression krbsrvname gsslib gssdelegation'
  ).split(' '),
);

/** Those that may be said where they ask for what happens anyway. */
const onlyAs: Readonly<Record<string, readonly string[]>> = {
  client_encoding: ['utf8', 'utf-8', 'auto', 'unicode'],
  gssencmode: ['disable', 'prefer'],
  replication: ['false', 'off', 'no', '0'],
  target_session_attrs: ['any', 'read-write', 'primary'],
  sslnegotiation: ['postgres'],
  sslcertmode: ['allow'],
  load_balance_hosts: ['disable', 'random'],
  min_protocol_version: ['3.0'],
  max_protocol_version: ['3.0', 'latest'],
};

const known = new Set(
  (
    'host hostaddr port user password dbname connect_timeout application_name channel_binding options search_path ' +
    'sslmode sslrootcert sslcert sslkey sslpassword sslsni ssl_min_protocol_version ssl_max_protocol_version'
  ).split(' '),
);

function assertKnown(given: Parameters): void {
  for (const [key, value] of given) {
    const allowed = onlyAs[key];
    if (allowed) {
      if (!allowed.includes(value.toLowerCase()))
        refuse(`says ${key}=${value}: here it can only be ${allowed.join(' or ')}`);
    } else if (!known.has(key) && !withoutEffect.has(key)) {
      refuse(`has the parameter ${key}, which is not known here: leave it out`);
    }
  }
}

function targetOf(given: Parameters, secrets: DatabaseSecrets): DatabaseTarget {
  assertKnown(given);
  const user = given.get('user') || ownName();
  const timeout = given.get('connect_timeout') ?? '0';
  if (!/^-?\d+$/.test(timeout)) refuse(`says connect_timeout=${timeout}: it is a number of seconds`);
  const startParameters = Object.fromEntries(
    [...given].filter(([key, value]) => (key === 'options' || key === 'search_path') && value !== ''),
  );
  const hosts = hostsOf(given);
  return {
    hosts,
    shuffled: given.get('load_balance_hosts') === 'random',
    user,
    password: secrets.password ?? given.get('password') ?? '',
    database: given.get('dbname') || user,
    tls: tlsOptions(given, secrets.tls ?? {}, refuse),
    connectTimeoutMs: Number(timeout) > 0 ? Number(timeout) * 1000 : undefined,
    applicationName: given.get('application_name') || undefined,
    startParameters,
  };
}

function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container that runs as a number.
    return refuse('names no user');
  }
}

function hostsOf(given: Parameters): DatabaseHost[] {
  const list = (key: string) => (given.get(key) ?? '').split(',');
  const addresses = given.get('hostaddr') ? list('hostaddr') : [];
  const names = given.get('host') ? list('host') : addresses.map(() => '');
  if (names.length === 0) names.push('');
  if (addresses.length > 0 && addresses.length !== names.length) {
    refuse(`names ${names.length} hosts and ${addresses.length} in hostaddr`);
  }
  const ports = list('port');
  if (ports.length > 1 && ports.length !== names.length) {
    refuse(`names ${names.length} hosts and ${ports.length} ports`);
  }
  return names.map((name, at) => {
    const port = (ports.length > 1 ? ports[at] : ports[0]) || '5432';
    if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
      refuse('has a port that is not between 1 and 65535');
    }
    const address = addresses[at] || undefined;
    return { name: name || address || 'localhost', address, port: Number(port) };
  });
}
