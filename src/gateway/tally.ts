import type { Logger } from '../shared/log.ts';

interface Found {
  level: 'info' | 'warn';
  message: string;
  /** Of one of them. */
  address?: string | undefined;
  code?: string | undefined;
  reason?: string | undefined;
}

/** One line for what happens to many connections between two looks: a line each would be as many as an attacker likes. */
export interface Tally {
  add(found: Found): void;
  tell(): void;
}

export function createTally(log: Logger): Tally {
  let tallied = new Map<string, { found: Found; connections: number }>();

  return {
    add(found) {
      const key = `${found.code} ${found.message}`;
      const before = tallied.get(key);
      if (!before) tallied.set(key, { found, connections: 1 });
      else before.connections += 1;
    },

    tell() {
      if (tallied.size === 0) return;
      const told = tallied;
      tallied = new Map();
      for (const { found, connections } of told.values()) {
        const { level, message, ...fields } = found;
        log[level]({ connections, ...fields }, message);
      }
    },
  };
}
