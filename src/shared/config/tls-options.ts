import type { TlsFiles } from '../tls.ts';

const modes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
/** libpq's: https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION */
export type TlsMode = (typeof modes)[number];

export interface TlsOptions {
  mode: TlsMode;
  /** Undefined: the authorities that the runtime knows. */
  ca: string | undefined;
  cert: string | undefined;
  key: string | undefined;
  keyPassword: string | undefined;
  /** Whether the server is told which name it is asked by. */
  sendsName: boolean;
  minVersion: TlsVersion | undefined;
  maxVersion: TlsVersion | undefined;
}

const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
export type TlsVersion = (typeof versions)[number];

/**
 * Of a connection string's `ssl…` parameters. Without `sslmode` it is `prefer`, as with libpq, and `verify-full` where a
 * certificate authority is named: who gives one wants to know whom they talk to.
 */
export function tlsOptions(
  given: ReadonlyMap<string, string>,
  files: TlsFiles,
  refuse: (reason: string) => never,
): TlsOptions {
  const one = (key: string, file: string | undefined, variable: string): string | undefined => {
    const inUrl = given.get(key) || undefined;
    if (inUrl !== undefined && file !== undefined)
      refuse(`says ${key}, and so does ${variable}: set one of them`);
    return file ?? inUrl;
  };
  const root = one('sslrootcert', files.ca, 'DATABASE_TLS_CA');
  const cert = one('sslcert', files.cert, 'DATABASE_TLS_CERT');
  const key = one('sslkey', files.key, 'DATABASE_TLS_KEY');
  if ((cert === undefined) !== (key === undefined)) {
    refuse(
      'has a client certificate without its key, or a key without its certificate: set both DATABASE_TLS_CERT and DATABASE_TLS_KEY',
    );
  }
  return {
    mode: modeOf(given, root, cert, refuse),
    ca: root === 'system' ? undefined : root,
    cert,
    key,
    keyPassword: given.get('sslpassword'),
    sendsName: given.get('sslsni') !== '0',
    minVersion: versionOf(given, 'ssl_min_protocol_version', refuse),
    maxVersion: versionOf(given, 'ssl_max_protocol_version', refuse),
  };
}

function modeOf(
  given: ReadonlyMap<string, string>,
  root: string | undefined,
  cert: string | undefined,
  refuse: (reason: string) => never,
): TlsMode {
  const said = given.get('sslmode');
  const mode = modes.find((each) => each === said) ?? (root === undefined ? 'prefer' : 'verify-full');
  if (said !== undefined && said !== mode) refuse(`says sslmode=${said}: it is one of ${modes.join(', ')}`);
  if (mode === 'disable' && (root ?? cert) !== undefined)
    refuse('says sslmode=disable, and gives certificates');
  if (root === 'system' && mode !== 'verify-full')
    refuse(`says sslrootcert=system: with it sslmode is verify-full`);
  const binding = given.get('channel_binding');
  if (binding !== undefined && !['disable', 'prefer', 'require'].includes(binding)) {
    refuse(`says channel_binding=${binding}: it is one of disable, prefer, require`);
  }
  if (binding === 'require') {
    if (mode === 'disable') refuse('says channel_binding=require and sslmode=disable');
    // The driver cannot bind. What binding is for, that nobody stands in between, the certificate is held to instead.
    return 'verify-full';
  }
  // With an authority libpq holds the certificate to it in this mode too.
  return mode === 'require' && root !== undefined ? 'verify-ca' : mode;
}

function versionOf(
  given: ReadonlyMap<string, string>,
  key: string,
  refuse: (reason: string) => never,
): TlsVersion | undefined {
  const said = given.get(key);
  if (said === undefined || said === '') return undefined;
  return (
    versions.find((each) => each.toLowerCase() === said.toLowerCase()) ??
    refuse(`says ${key}=${said}: it is one of ${versions.join(', ')}`)
  );
}
