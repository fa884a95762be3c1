import type { ConfabClient } from '@confab/client';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Sessions } from './session.ts';

/** Whoever is signed in. */
export interface SignedIn {
  client: ConfabClient;
  userId: string;
  sessions: Sessions;
}

const Context = createContext<SignedIn | undefined>(undefined);
export const SignedInProvider = Context.Provider;

export function useSignedIn(): SignedIn {
  const signedIn = useContext(Context);
  if (!signedIn) throw new Error('nobody is signed in here');
  return signedIn;
}
