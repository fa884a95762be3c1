import { useState } from 'preact/hooks';

export interface VerbState {
  busy: boolean;
  /** Why the last time failed, in words. */
  problem: string | undefined;
}

/** A verb that a button does: while it runs, and what went wrong. */
export function useVerb<Given extends unknown[]>(
  verb: (...given: Given) => Promise<unknown>,
): [(...given: Given) => void, VerbState] {
  const [state, setState] = useState<VerbState>({ busy: false, problem: undefined });
  async function run(...given: Given): Promise<void> {
    setState({ busy: true, problem: undefined });
    try {
      await verb(...given);
      setState({ busy: false, problem: undefined });
    } catch (error) {
      setState({ busy: false, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  return [(...given) => void run(...given), state];
}
