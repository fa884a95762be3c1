/** Whether a request or socket with this `Origin` may come in; one without the header may (no browser sent it). */
export type AllowedOrigin = (origin: string, request: Request) => boolean;

const localHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** As browsers write it: in lower case, without the scheme's default port. */
interface Origin {
  text: string;
  scheme: string;
  /** With its port, where that is not the default one. */
  host: string;
  hostname: string;
}

/**
 * The listed origins; with no list any localhost origin outside production, and none there. And, listed or not, pages that
 * came from where they ask: their host is the request's own, or the one that a proxy of ours was asked for.
 */
export function createAllowedOrigin({
  corsOrigins,
  environment,
  trustProxy,
}: {
  corsOrigins: readonly string[] | undefined;
  environment: string;
  trustProxy: boolean;
}): AllowedOrigin {
  const listed = new Set(corsOrigins);
  // A page from a file says one or the other, by browser and kind of request.
  if (listed.has('file://')) listed.add('null');
  const localToo = corsOrigins === undefined && environment !== 'production';

  return (given, request) => {
    if (listed.has(given)) return true;
    const origin = originOf(given);
    if (!origin) return false;
    return (
      listed.has(origin.text) || (localToo && isLocal(origin)) || isOwn(origin, hostOf(request, trustProxy))
    );
  };
}

const isLocal = ({ hostname }: Origin): boolean =>
  localHosts.has(hostname) || hostname.endsWith('.localhost');

/** The host that the client asked for, and whether its port is known. */
interface AskedHost {
  host: string;
  withoutPort: boolean;
}

function hostOf({ headers }: Request, trustProxy: boolean): AskedHost {
  const forwarded = trustProxy ? (headers.get('x-forwarded-host') ?? '').split(',').at(-1)?.trim() : '';
  // Proxies leave the port out (Kong), and tell the one that they listen at instead, which need not be the client's.
  if (forwarded) return { host: forwarded, withoutPort: !/:\d+$/.test(forwarded) };
  return { host: headers.get('host') ?? '', withoutPort: false };
}

function isOwn(origin: Origin, { host, withoutPort }: AskedHost): boolean {
  if (host === '' || !webSchemes.has(origin.scheme)) return false;
  const asked = originOf(`${origin.scheme}://${host}`);
  return (
    asked !== undefined && (withoutPort ? asked.hostname === origin.hostname : asked.host === origin.host)
  );
}

const webSchemes: ReadonlySet<string> = new Set(['http', 'https']);
const originForm = /^([a-z][a-z0-9+.-]*):\/\/([^/?#@\\\s]*)$/i;
const webHost = /^(?:\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)(?::\d+)?$/;
/** Of apps: `capacitor://localhost`, `app://-`, `chrome-extension://<id>`. */
const appHost = /^[a-z0-9._~-]+(?::\d{1,5})?$/;

/** Undefined for what no browser or app sends, and for `null`, of which nothing is known. */
function originOf(text: string): Origin | undefined {
  const [, rawScheme, rawHost] = originForm.exec(text) ?? [];
  if (rawScheme === undefined || rawHost === undefined) return undefined;
  const scheme = rawScheme.toLowerCase();
  let host = rawHost.toLowerCase();
  if (webSchemes.has(scheme)) {
    if (!URL.canParse(text)) return undefined;
    host = new URL(text).host;
    if (!webHost.test(host)) return undefined;
  } else if (scheme === 'file' ? host !== '' : !appHost.test(host)) {
    return undefined;
  }
  return { text: `${scheme}://${host}`, scheme, host, hostname: host.replace(/:\d+$/, '') };
}

const example = 'https://app.example.com';

/**
 * One entry of `CORS_ORIGINS`, as browsers write it, or what is wrong with it: an entry that could never match is a mistake
 * that nobody would find.
 */
export function listedOrigin(entry: string): { origin: string } | { problem: string } {
  // As people copy it from the address bar; but of `file://` nothing is too much.
  const text = entry.trim().replace(/(?<!:\/)\/$/, '');
  if (text === 'null') return { origin: text };
  const origin = originOf(text);
  if (origin && !['ws', 'wss'].includes(origin.scheme)) return { origin: origin.text };
  return { problem: problemOf(text) };
}

function problemOf(text: string): string {
  if (text === '')
    return `has an entry with nothing in it: it holds origins like ${example}, separated by commas`;
  const named = `holds ${JSON.stringify(text.slice(0, 200))}`;
  if (text.includes('*'))
    return `${named}: an asterisk stands for nothing, name each origin, like ${example}`;
  if (!text.includes('://')) return `${named}: an origin begins with its scheme, like ${example}`;
  if (/^wss?:/i.test(text))
    return `${named}: the origin is the page's, which begins with http:// or https://`;
  if (/^[^:]*:\/\/[^/?#\\\s]*[/?#\\@]/.test(text)) {
    return `${named}: an origin is scheme, host and port alone, like ${example}`;
  }
  return `${named}: that is no origin, which is a scheme, a host and perhaps a port, like ${example}`;
}
