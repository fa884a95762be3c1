/** `bun run start`: the single process, in production. */
process.env.NODE_ENV = 'production';
await import('../standalone.ts');

export {};
