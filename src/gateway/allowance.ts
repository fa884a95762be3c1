import { mostChangeBytes, mostChanges } from '../changes/limits.ts';

/** What a socket that comes back may still be told. */
export interface Allowance {
  /** All of them, or none. */
  takeEvents(count: number): boolean;
  /** Whether no further event may be told. */
  isUsedUp(): boolean;
  /** Once a frame has been too long, no further one fits. */
  takeBytes(frame: string): boolean;
  /** Something is not told, but to be read. */
  reset(): void;
  /** How many events were told. */
  told(): number;
  wasReset(): boolean;
}

export function createAllowance(): Allowance {
  let events = mostChanges;
  let bytes = mostChangeBytes;
  let told = 0;
  let isReset = false;
  return {
    takeEvents(count) {
      if (count > events) return false;
      events -= count;
      return true;
    },
    isUsedUp: () => events === 0,
    takeBytes(frame) {
      bytes -= Buffer.byteLength(frame);
      const fits = bytes >= 0;
      if (fits) told += 1;
      else isReset = true;
      return fits;
    },
    reset() {
      isReset = true;
    },
    told: () => told,
    wasReset: () => isReset,
  };
}
