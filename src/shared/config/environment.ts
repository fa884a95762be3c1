export type Environment = Readonly<Record<string, string | undefined>>;

/** Of an environment what is set, and not for somebody else. Empty means unset. */
export function given(environment: Environment) {
  const set: Record<string, string> = {};
  const warnings: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || (isSecret(name) ? value : value.trim()) === '') continue;
    if (isServiceLink(name, value)) warnings.push(linkIgnored(name, value));
    else set[name] = value;
  }
  return { set, warnings };
}

const isSecret = (name: string): boolean => /PASSWORD|SECRET/.test(name);

/** Kubernetes sets `REDIS_PORT=tcp://10.43.1.1:6379` in every pod beside a service that is called `redis`. */
const isServiceLink = (name: string, value: string): boolean =>
  /^(?:(?:GATEWAY|WORKER|REDIS|RABBITMQ)_)?PORT$/.test(name) && /^(?:tcp|udp|sctp):\/\//.test(value);

const linkIgnored = (name: string, value: string): string =>
  `${name}=${value} is no port but Kubernetes' link to a service of that name, and ignored: ` +
  'enableServiceLinks: false in the pod keeps it out';
