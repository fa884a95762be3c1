/** What was typed is not a command; shown with the usage. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/**
 * Runs a command, and sets the status that it ends with: what `work` says, 2 for what is no command, 1 for any other error. Its
 * message is all that is shown.
 */
export async function operate(usage: string, work: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    const isUsage = error instanceof UsageError;
    console.error(error instanceof Error ? error.message : error);
    if (isUsage) console.error(`\n${usage}`);
    process.exitCode = isUsage ? 2 : 1;
  }
}
