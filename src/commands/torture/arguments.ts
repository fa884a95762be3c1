import { parseArgs } from 'node:util';
import { type FaultKind, faultKinds } from './schedule.ts';

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

export const tortureUsage = `bun run torture [--seed 1] [--minutes 10] [--faults kill,freeze,…] [--report file.json]
  --faults   only these kinds: ${faultKinds.join(', ')}; "none" for the load alone
  --rate 210, --users 150, --chats 60   the load; each user has two sockets
  --list     prints the schedule of the seed and ends`;

/** @throws Error with what is wrong */
export function parseTortureArguments(given: readonly string[]): TortureArguments {
  const { values } = parseArgs({
    args: [...given],
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '10' },
      faults: { type: 'string', default: faultKinds.join(',') },
      report: { type: 'string' },
      rate: { type: 'string', default: '210' },
      users: { type: 'string', default: '150' },
      chats: { type: 'string', default: '60' },
      list: { type: 'boolean', default: false },
    },
  });
  const number = (name: 'seed' | 'minutes' | 'rate' | 'users' | 'chats', lowest: number): number => {
    const value = Number(values[name]);
    if (!Number.isFinite(value) || value < lowest) throw new Error(`--${name} must be ${lowest} or more`);
    return value;
  };
  const names = values.faults === 'none' ? [] : values.faults.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !faultKinds.some((kind) => kind === name));
  if (unknown.length > 0) {
    throw new Error(`there is no fault ${unknown.join(', ')}; there are ${faultKinds.join(', ')}`);
  }
  return {
    seed: Math.floor(number('seed', 0)),
    minutes: number('minutes', 0.25),
    kinds: faultKinds.filter((kind) => names.includes(kind)),
    report: values.report,
    messagesASecond: number('rate', 1),
    users: Math.floor(number('users', 16)),
    chats: Math.floor(number('chats', 6)),
    list: values.list,
  };
}
