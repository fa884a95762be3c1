import { readFile } from 'node:fs/promises';
import { connect } from 'node:tls';
import { StartError } from './start-error.ts';

/** Certificates as the environment gives them: each the path of a PEM file, or the PEM itself. */
export interface TlsFiles {
  /** Of the authority that signed the server's certificate, instead of those that the system trusts. */
  ca?: string | undefined;
  /** The client's own, for a server that asks for one. */
  cert?: string | undefined;
  key?: string | undefined;
}

/**
 * What does not go together.
 * @param prefix of the variables
 * @param otherScheme of a URL that says whether TLS is spoken: what it must be, beginning with its variable
 */
export function tlsProblems(
  prefix: string,
  { encrypted, tls: { ca, cert, key } }: { encrypted: boolean; tls: TlsFiles },
  otherScheme?: string,
): string[] {
  const problems: string[] = [];
  if (!encrypted && (ca ?? cert ?? key) !== undefined) {
    problems.push(
      otherScheme === undefined
        ? `${prefix} is false, and certificates are given: set it to true, or unset them`
        : `${otherScheme} where certificates are given`,
    );
  }
  if ((cert === undefined) !== (key === undefined)) {
    problems.push(`${prefix}_CERT and ${prefix}_KEY belong together: set both`);
  }
  return problems;
}

/**
 * What `tls.connect` and the drivers take. Files are read anew at each call: certificates are renewed under running processes.
 * @param prefix of the variables, `RABBITMQ_TLS` for `RABBITMQ_TLS_CA`
 * @throws StartError when one cannot be read or is no PEM, naming its variable
 */
export async function readTls(prefix: string, files: TlsFiles): Promise<TlsFiles> {
  const read = async (name: keyof TlsFiles, value: string | undefined): Promise<TlsFiles> =>
    value === undefined ? {} : { [name]: await readPem(`${prefix}_${name.toUpperCase()}`, value) };
  const { ca, cert, key } = files;
  const parts = await Promise.all([read('ca', ca), read('cert', cert), read('key', key)]);
  return Object.assign({}, ...parts);
}

async function readPem(variable: string, value: string): Promise<string> {
  if (value.includes('-----BEGIN ')) return value;
  const text = await readFile(value, 'utf8').catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`${variable} is neither PEM nor a file that can be read: ${reason}`, { cause });
  });
  if (!text.includes('-----BEGIN ')) throw new StartError(`${variable}: ${value} holds no PEM`);
  return text;
}

const handshakeMs = 3_000;

/** Whether TLS is spoken at a port. Whose certificate it is makes no difference: nothing is sent. */
export function speaksTls(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, rejectUnauthorized: false });
    socket.setTimeout(handshakeMs);
    socket.once('secureConnect', () => end(true));
    for (const event of ['error', 'close', 'timeout']) socket.once(event, () => end(false));
    function end(spoken: boolean): void {
      socket.destroy();
      resolve(spoken);
    }
  });
}

/** Errors of a handshake that no waiting mends: the wrong authority, another name, expired, no TLS at all. */
export function isTlsRefusal(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return /CERT|SIGNATURE|SELF_SIGNED|INVALID_(?:CA|PURPOSE)|^UNABLE_TO_|^ERR_(?:TLS|SSL|OSSL|BORINGSSL)/.test(
    error.code,
  );
}
