import type { ClientOptions, ConfabClient } from './types.ts';

export function createClient(_options: ClientOptions): ConfabClient {
  throw new Error('not there yet');
}
