/** The contract's types, the only thing that the client has from the server; the build puts them beside this file's declarations. */
export type * from '../../src/shared/contract.ts';
