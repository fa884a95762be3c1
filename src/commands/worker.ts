/** `bun run worker`: `CHAT_WORKER_ENABLED` is set here, whatever the environment or `.env` says of it. */
process.env.CHAT_WORKER_ENABLED = 'true';
await import('../worker.ts');

export {};
