import { isCommonPassword } from '../common-passwords.ts';

/**
 * What the environment says of the way to a server: enough to tell whether it could be anybody's. The drivers read the
 * addresses themselves.
 */
export interface ServerAccess {
  server: ServerName;
  /** As people call it. */
  label: string;
  hosts: readonly string[];
  user: string | undefined;
  password: string | undefined;
  /** Whether without a password everyone gets in. Where not, the server may know its clients by another way. */
  openWithoutPassword: boolean;
  /** The variable that holds the password. */
  variable: string;
  encrypted: boolean;
}

/** What the environment says of the way to one of the servers. */
export interface WayToServer {
  /** What does not go together. */
  problems: string[];
  /** None where it cannot be told. */
  accesses: ServerAccess[];
}

export type ServerName = 'postgres' | 'redis' | 'rabbitmq';

/** What stands in the servers' manuals and images, and in examples; the first ones that anybody tries. */
const known: ReadonlySet<string> = new Set([
  ...[
    'postgres',
    'postgresql',
    'guest',
    'redis',
    'rabbit',
    'rabbitmq',
    'confab',
    'chat',
    'bitnami',
    'foobared',
  ],
  ...['admin', 'root', 'user', 'test', 'dev', 'local', 'pass', 'secret', 'mysecretpassword', 'my-secret-pw'],
  ...['change-me', 'example', 'default', 'letmein', 'qwerty', '1234', '12345', '123456', '1234567'],
]);

const isKnown = (password: string): boolean =>
  known.has(password.toLowerCase()) || isCommonPassword(password);

/** @returns what is wrong with the credentials, beginning with the variable; undefined for nothing */
export function defaultCredentials(access: ServerAccess): string | undefined {
  const { label, user, password, variable, openWithoutPassword } = access;
  if (password === undefined) {
    const isMissing = variable.endsWith('_PASSWORD') ? 'is not set' : 'has no password';
    return openWithoutPassword ? `${variable} ${isMissing}: ${label} lets in whoever reaches it` : undefined;
  }
  if (!isKnown(password) && password !== user) return undefined;
  const who = user === undefined ? '' : ` of ${label}'s user ${user}`;
  return `${variable} holds a password${who} that everybody knows`;
}

/** @returns a warning about the hosts that are reached in plain text and not by a private network; undefined for none */
export function plainText({ label, hosts, encrypted }: ServerAccess): string | undefined {
  const outside = encrypted ? [] : hosts.filter((host) => !isPrivate(host));
  if (outside.length === 0) return undefined;
  return (
    `${label} at ${outside.join(', ')} is reached without TLS, and by its name not in a private network: ` +
    'passwords and messages can be read on the way'
  );
}

/** Of networks that nobody outside routes to, or names that mean something inside alone (containers, clusters). */
function isPrivate(host: string): boolean {
  const name = host.toLowerCase();
  if (name === '' || name.startsWith('/')) return true;
  if (name.includes(':')) return /^(?:::1$|f[cd]|fe[89ab]|::ffff:(?:127|10)\.)/.test(name);
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name)) {
    return /^(?:127|10|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./.test(
      name,
    );
  }
  return !name.includes('.') || /\.(?:localhost|local|internal|svc|lan|home\.arpa|test)$/.test(name);
}
