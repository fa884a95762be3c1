export { createClient } from './client.ts';
export type * from './contract.ts';
export { ConfabError } from './error.ts';
export type * from './types.ts';
