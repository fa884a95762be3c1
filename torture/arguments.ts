import { parseArgs } from 'node:util';
import { type FaultKind, faultKinds } from './fault.ts';

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

export interface EmbeddedArguments {
  seed: number;
  kills: number;
  report: string | undefined;
  messagesASecond: number;
}

export const tortureUsage = `bun run torture [--seed 1] [--minutes 10] [--faults kill,freeze,…] [--report file.json]
  --faults   only these kinds: ${faultKinds.join(', ')}; "none" for the load alone
  --rate 210, --users 150, --chats 60   the load; each user has two sockets
  --list     prints the schedule of the seed and ends

bun run torture --embedded [--kills 50] [--seed 1] [--rate 100] [--report file.json]
  kill -9 of what \`bun run dev\` starts, a fifth of the times in its first boot`;

/** Two in a first boot, and some under load. */
const fewestKills = 4;

/** @throws Error with what is wrong */
export function parseTortureArguments(given: readonly string[]): TortureArguments | EmbeddedArguments {
  const { values } = parseArgs({
    args: [...given],
    options: {
      embedded: { type: 'boolean', default: false },
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
    refuse(['minutes', 'faults', 'users', 'chats', 'list'], 'not with --embedded');
    return {
      seed,
      kills: Math.floor(number('kills', 50, fewestKills)),
      report: values.report,
      messagesASecond: number('rate', 100, 1),
    };
  }
  refuse(['kills'], 'only with --embedded');
  const faults = values.faults ?? faultKinds.join(',');
  const names = faults === 'none' ? [] : faults.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !faultKinds.some((kind) => kind === name));
  if (unknown.length > 0) {
    throw new Error(`there is no fault ${unknown.join(', ')}; there are ${faultKinds.join(', ')}`);
  }
  return {
    seed,
    minutes: number('minutes', 10, 0.25),
    kinds: faultKinds.filter((kind) => names.includes(kind)),
    report: values.report,
    messagesASecond: number('rate', 210, 1),
    users: Math.floor(number('users', 150, 16)),
    chats: Math.floor(number('chats', 60, 6)),
    list: values.list ?? false,
  };
}
