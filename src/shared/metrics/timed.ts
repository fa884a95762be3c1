/**
 * Observes how long work takes, in seconds.
 * @param failed observes it of work that fails, by its error
 */
export async function timed<Result>(
  work: () => Promise<Result>,
  observe: (seconds: number) => void,
  failed: (error: unknown) => (seconds: number) => void,
): Promise<Result> {
  const beganAt = performance.now();
  const seconds = () => (performance.now() - beganAt) / 1000;
  try {
    const result = await work();
    observe(seconds());
    return result;
  } catch (error) {
    failed(error)(seconds());
    throw error;
  }
}
