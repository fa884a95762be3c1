import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
} from 'react';
import type { ConfabClient } from '../types.ts';

const Context = createContext<ConfabClient | undefined>(undefined);

/** Connects while it is mounted. One client may have several: the last one that goes ends the connection. */
export function ConfabProvider(props: { client: ConfabClient; children?: ReactNode }): ReactElement {
  const { client, children } = props;
  useEffect(() => {
    client.connect();
    return () => client.disconnect();
  }, [client]);
  return createElement(Context.Provider, { value: client }, children);
}

/** For what has no hook: `createChat`, `updateMe`, and the verbs of `chat(chatId)` where nothing is to be rendered again. */
export function useClient(): ConfabClient {
  const client = useContext(Context);
  if (!client) throw new Error('There is no <ConfabProvider client={…}> around this component.');
  return client;
}
