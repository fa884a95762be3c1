export * from './schema/chats.ts';
export * from './schema/deployment.ts';
export * from './schema/embedded-queue.ts';
export * from './schema/messages.ts';
export * from './schema/users.ts';
