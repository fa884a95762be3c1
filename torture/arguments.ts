import { parseArgs } from 'node:util';
import { type RedisForm, redisForms } from './cluster/redis.ts';
import type { FaultKind } from './fault.ts';
import { kindsOf } from './schedule.ts';

export interface TortureArguments {
  seed: number;
  minutes: number;
  kinds: readonly FaultKind[];
  report: string | undefined;
  messagesASecond: number;
  users: number;
  chats: number;
  /** Prints the schedule and does nothing. */
  list: boolean;
}

export interface ClusterArguments extends TortureArguments {
  /** One after the other, each for its share of the minutes. */
  redis: readonly RedisForm[];
}

export interface EmbeddedArguments {
  seed: number;
  kills: number;
  report: string | undefined;
  messagesASecond: number;
}

export const tortureUsage = `bun run torture [--seed 1] [--minutes 10] [--faults kill,freeze,…] [--report file.json]
  --faults   only these kinds: ${kindsOf(false).join(', ')}; "none" for the load alone
  --rate 210, --users 150, --chats 60   the load; each user has two sockets
  --list     prints the schedule of the seed and ends

bun run torture --cluster [--redis sentinel,cluster] [--rate 40] [--users 40] [--chats 24] [as above]
  three nodes of RabbitMQ, a primary and a standby of PostgreSQL, and Redis behind Sentinels and then in a cluster, for half of
  the minutes each; the kinds ${kindsOf(true).slice(0, 3).join(', ')} as well

bun run torture --embedded [--kills 50] [--seed 1] [--rate 100] [--report file.json]
  kill -9 of what \`bun run dev\` starts, a fifth of the times in its first boot`;

/** Two in a first boot, and some under load. */
const fewestKills = 4;

/** @throws Error with what is wrong */
export function parseTortureArguments(
  given: readonly string[],
): TortureArguments | ClusterArguments | EmbeddedArguments {
  const { values } = parseArgs({
    args: [...given],
    options: {
      embedded: { type: 'boolean', default: false },
      cluster: { type: 'boolean', default: false },
      redis: { type: 'string' },
      kills: { type: 'string' },
      seed: { type: 'string' },
      minutes: { type: 'string' },
      faults: { type: 'string' },
      report: { type: 'string' },
      rate: { type: 'string' },
      users: { type: 'string' },
      chats: { type: 'string' },
      list: { type: 'boolean' },
    },
  });
  const number = (
    name: 'kills' | 'seed' | 'minutes' | 'rate' | 'users' | 'chats',
    otherwise: number,
    lowest: number,
  ): number => {
    const value = Number(values[name] ?? otherwise);
    if (!Number.isFinite(value) || value < lowest) throw new Error(`--${name} must be ${lowest} or more`);
    return value;
  };
  const refuse = (names: readonly (keyof typeof values)[], why: string): void => {
    const named = names.filter((name) => values[name] !== undefined);
    if (named.length > 0) throw new Error(`${named.map((name) => `--${name}`).join(', ')}: ${why}`);
  };
  const seed = Math.floor(number('seed', 1, 0));
  if (values.embedded) {
    if (values.cluster) throw new Error('--cluster: not with --embedded');
    refuse(['redis', 'minutes', 'faults', 'users', 'chats', 'list'], 'not with --embedded');
    return {
      seed,
      kills: Math.floor(number('kills', 50, fewestKills)),
      report: values.report,
      messagesASecond: number('rate', 100, 1),
    };
  }
  refuse(['kills'], 'only with --embedded');
  if (!values.cluster) refuse(['redis'], 'only with --cluster');
  const known = kindsOf(values.cluster);
  const torture = (usual: { rate: number; users: number; chats: number }): TortureArguments => ({
    seed,
    minutes: number('minutes', 10, 0.25),
    kinds: values.faults === 'none' ? [] : chosen('fault', values.faults, known),
    report: values.report,
    messagesASecond: number('rate', usual.rate, 1),
    users: Math.floor(number('users', usual.users, 16)),
    chats: Math.floor(number('chats', usual.chats, 6)),
    list: values.list ?? false,
  });
  if (!values.cluster) return torture({ rate: 210, users: 150, chats: 60 });
  // Three brokers, a standby and six processes share the machine.
  const light = torture({ rate: 40, users: 40, chats: 24 });
  return { ...light, redis: chosen('form of Redis', values.redis, redisForms) };
}

/** Of a list in the order in which they are known; all where nothing is said. */
function chosen<Name extends string>(
  what: string,
  given: string | undefined,
  known: readonly Name[],
): readonly Name[] {
  if (given === undefined) return known;
  const names = given.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !known.some((each) => each === name));
  if (unknown.length > 0) {
    throw new Error(`there is no ${what} ${unknown.join(', ')}; there are ${known.join(', ')}`);
  }
  return known.filter((each) => names.includes(each));
}
