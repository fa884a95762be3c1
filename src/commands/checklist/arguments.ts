import { UsageError } from '../operator/operate.ts';
import { parsed } from '../operator/parsed.ts';

export const checklistUsage = `bun run checklist [--all] [--api URL] [--socket URL] [--a email:password --b email:password | --token-a TOKEN --token-b TOKEN]

Goes through the six steps of the setup guide's checklist against a running deployment.
  --all                 then what else a chat has: edits, deletions, reactions, what is read, what was missed,
                        and with SERVICE_TOKEN in the environment what the backend may do
  --api                 where REST is: Kong, or the api (without it: the deployment on this machine)
  --socket              where Socket.IO is (without it: where --api is)
  --a, --b              two users that are there already
  --token-a, --token-b  their access tokens
Without users it registers two.`;

export type Credentials =
  | { kind: 'registered' }
  | { kind: 'login'; email: string; password: string }
  | { kind: 'token'; token: string };

export interface ChecklistOptions {
  /** What a chat has beside the six steps, too. */
  all: boolean;
  /** Undefined: look on this machine. Without a slash at the end. */
  api: string | undefined;
  socket: string | undefined;
  a: Credentials;
  b: Credentials;
}

/** @throws UsageError */
export function parseChecklistArguments(args: readonly string[]): ChecklistOptions | 'help' {
  const option = { type: 'string' } as const;
  const { values } = parsed({
    args: [...args],
    options: {
      all: { type: 'boolean' },
      api: option,
      socket: option,
      a: option,
      b: option,
      'token-a': option,
      'token-b': option,
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return 'help';

  const byPassword = values.a !== undefined || values.b !== undefined;
  const byToken = values['token-a'] !== undefined || values['token-b'] !== undefined;
  if (byPassword && byToken) throw new UsageError('--a and --b exclude --token-a and --token-b');
  if (byPassword && (values.a === undefined || values.b === undefined)) {
    throw new UsageError('--a and --b go together: two users talk');
  }
  if (byToken && (values['token-a'] === undefined || values['token-b'] === undefined)) {
    throw new UsageError('--token-a and --token-b go together: two users talk');
  }
  return {
    all: values.all ?? false,
    api: base('--api', values.api),
    socket: base('--socket', values.socket),
    a: credentials('--a', values.a, values['token-a']),
    b: credentials('--b', values.b, values['token-b']),
  };
}

function base(name: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if ((url?.protocol !== 'http:' && url?.protocol !== 'https:') || url.search !== '' || url.hash !== '') {
    throw new UsageError(`${name} must be a URL like https://api.example.com, not ${value}`);
  }
  return url.href.replace(/\/+$/, '');
}

function credentials(name: string, login: string | undefined, token: string | undefined): Credentials {
  if (token !== undefined) return { kind: 'token', token };
  if (login === undefined) return { kind: 'registered' };
  const colon = login.indexOf(':');
  if (colon < 1 || colon === login.length - 1) throw new UsageError(`${name} must be email:password`);
  return { kind: 'login', email: login.slice(0, colon), password: login.slice(colon + 1) };
}
