export const processKinds = ['api', 'worker', 'gateway', 'postgres', 'redis', 'rabbitmq'] as const;
export type ProcessKind = (typeof processKinds)[number];
export type OwnKind = Extract<ProcessKind, 'api' | 'worker' | 'gateway'>;
export type ServerKind = Exclude<ProcessKind, OwnKind>;

/** Who talks to whom; each has a TCP proxy between. */
export const links = [
  'clients-api',
  'clients-gateway',
  'api-postgres',
  'api-redis',
  'api-rabbitmq',
  'worker-postgres',
  'worker-redis',
  'worker-rabbitmq',
  'gateway-postgres',
  'gateway-redis',
] as const;
export type LinkName = (typeof links)[number];
/** Those on which the processes are the clients. */
export type ServerLink = Exclude<LinkName, `clients-${string}`>;

/** Of a kind there are two processes: the first, the second, or both at once. */
export type Which = 0 | 1 | 'both';

type Doing =
  | { kind: 'kill'; process: OwnKind; which: Which }
  | { kind: 'kill'; process: ServerKind }
  | { kind: 'freeze'; process: OwnKind; which: Which }
  | { kind: 'freeze'; process: ServerKind }
  | { kind: 'cut'; link: LinkName; which: Which }
  | { kind: 'black-hole'; link: LinkName; which: Which }
  | { kind: 'delay'; link: LinkName; which: Which; delayMs: number }
  /** The connections there are never say a word again; new ones work. */
  | { kind: 'strand'; link: ServerLink; which: Which }
  /** Frozen for less than it takes most to notice. */
  | { kind: 'stall'; process: ServerKind }
  /** One partition's queue answers nobody; the broker is well. */
  | { kind: 'silent-queue'; partition: number }
  /** Others take four fifths of PostgreSQL's processors. */
  | { kind: 'overload' }
  | { kind: 'redis-flush' }
  | { kind: 'confirm-lost' }
  | { kind: 'disk-alarm' }
  | { kind: 'poison' }
  | { kind: 'crash-loop'; which: Which; crashes: number; everyMs: number }
  | { kind: 'slow-client' }
  | { kind: 'rolling-restart' }
  | { kind: 'membership' }
  | ClusterDoing;

/** What servers survive of which there are several. */
type ClusterDoing =
  /** The node that leads a partition's queue is killed. */
  | { kind: 'leader-kill'; partition: number }
  /** Nothing gets through between one node of RabbitMQ and the others; its clients reach it. */
  | { kind: 'partition'; node: number }
  /** The primary, or a master, is killed; another takes its place. */
  | { kind: 'fail-over'; process: 'postgres' | 'redis' };

export const faultKinds = [
  'kill',
  'freeze',
  'cut',
  'black-hole',
  'delay',
  'strand',
  'stall',
  'silent-queue',
  'overload',
  'redis-flush',
  'confirm-lost',
  'disk-alarm',
  'poison',
  'crash-loop',
  'slow-client',
  'rolling-restart',
  'membership',
] as const satisfies readonly Exclude<Doing, ClusterDoing>['kind'][];
export const clusterFaultKinds = [
  'leader-kill',
  'partition',
  'fail-over',
] as const satisfies readonly ClusterDoing['kind'][];
export type FaultKind = (typeof faultKinds | typeof clusterFaultKinds)[number];

interface Lasting {
  /** How long it lasts, at least; 0 for what is over at once. */
  durationMs: number;
}
export type Fault = Doing & Lasting;
export type ClusterFault = ClusterDoing & Lasting;

export const isOfCluster = (fault: Fault): fault is ClusterFault =>
  clusterFaultKinds.some((kind) => kind === fault.kind);

export const nameOf = (fault: Fault): string => {
  const which = 'which' in fault ? ` ${fault.which === 'both' ? 'both' : fault.which + 1}` : '';
  if ('process' in fault) {
    const seconds = fault.kind === 'freeze' || fault.kind === 'stall' ? ` ${fault.durationMs / 1000}s` : '';
    return `${fault.kind} ${fault.process}${which}${seconds}`;
  }
  if ('partition' in fault) return `${fault.kind} p${fault.partition}`;
  if ('node' in fault) return `${fault.kind} rabbitmq ${fault.node + 1}`;
  return 'link' in fault ? `${fault.kind} ${fault.link}${which}` : `${fault.kind}${which}`;
};

/** What a fault takes from everybody. */
function takes(fault: Fault): readonly string[] {
  switch (fault.kind) {
    case 'kill':
    case 'freeze':
    case 'stall':
    case 'fail-over':
      return [fault.process];
    case 'cut':
    case 'black-hole':
    case 'delay':
    case 'strand':
      return fault.link === 'api-rabbitmq' ? [fault.link] : [];
    case 'redis-flush':
      return ['redis'];
    case 'confirm-lost':
      return ['api-rabbitmq'];
    case 'disk-alarm':
    case 'leader-kill':
    case 'partition':
      return ['rabbitmq'];
    case 'crash-loop':
      return ['worker'];
    case 'rolling-restart':
      return ['api', 'worker', 'gateway'];
    default:
      return [];
  }
}

/** What has to be in health for a fault to be carried out. */
const needs = ({ kind }: Fault): readonly string[] =>
  kind === 'confirm-lost' || kind === 'poison' || kind === 'silent-queue' ? ['rabbitmq'] : [];

/** Whether one would keep the other from happening as it should. */
export const meet = (one: Fault, other: Fault): boolean =>
  takes(one).some((each) => takes(other).includes(each) || needs(other).includes(each)) ||
  takes(other).some((each) => needs(one).includes(each));
