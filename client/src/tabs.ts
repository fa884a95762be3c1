interface Locks {
  request<T>(name: string, options: { signal?: AbortSignal }, task: () => Promise<T>): Promise<T>;
}

/** What the tabs of a browser tell one another. */
export type TabMessage =
  /** Somebody has a newer token. */
  | { kind: 'token'; token: string }
  /** An entry of the outbox of this subject is stored like this, or gone: to another process the storage may still show what was before. */
  | { kind: 'outbox'; subject: string; id: string; entry: string | undefined }
  /** Everything of this subject is forgotten. */
  | { kind: 'forgotten'; subject: string };

export interface Tabs {
  /** One tab at a time; without locks, as outside a browser, this one. */
  exclusively<T>(name: string, task: () => Promise<T>): Promise<T>;
  /** Calls back once this tab leads, until it gives that up or is closed. @returns gives it up */
  lead(name: string, onLead: () => void): () => void;
  post(message: TabMessage): void;
}

/** @param name what the tabs have in common @param alone nothing is shared with them */
export function createTabs(name: string, listener: (message: TabMessage) => void, alone: boolean): Tabs {
  const { navigator, BroadcastChannel: Channel } = globalThis as unknown as {
    navigator?: { locks?: Locks };
    BroadcastChannel?: new (
      name: string,
    ) => {
      postMessage(message: TabMessage): void;
      onmessage: ((event: { data: TabMessage }) => void) | null;
      unref?(): void;
    };
  };
  const locks = alone ? undefined : navigator?.locks;
  const channel = Channel && !alone ? new Channel(name) : undefined;
  if (channel) {
    channel.onmessage = ({ data }) => listener(data);
    // A program that has nothing else to do may end.
    channel.unref?.();
  }
  return {
    exclusively: (what, task) => (locks ? locks.request(`${name} ${what}`, {}, task) : task()),
    lead(what, onLead) {
      if (!locks) {
        onLead();
        return () => {};
      }
      const end = new AbortController();
      const held = () =>
        new Promise<void>((release) => {
          end.signal.addEventListener('abort', () => release());
          if (!end.signal.aborted) onLead();
        });
      // Given up before its turn came.
      locks.request(`${name} ${what}`, { signal: end.signal }, held).catch(() => {});
      return () => end.abort();
    },
    post: (message) => channel?.postMessage(message),
  };
}
